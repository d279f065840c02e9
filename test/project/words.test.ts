import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { files, read, root } from "./sources.ts"

/** Written so that this file does not hold what it looks for. */
const banned: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  ["a path of somebody's machine", /(?<![\w.~-])\/(work|home|Users|root|tmp)\/\w/],
  ["a registry's address", /"resolved":|registry\.(npmjs|yarnpkg)|_authToken|artifactory|verdaccio/i],
  ["an address of this machine alone", /\b(10\.\d{1,3}|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2}\b/],
  ["unfinished text", new RegExp(["lorem", "ipsum"].join(" "), "i")]
]

describe("words", () => {
  const top = fs.readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
  const kept = ["src", "test", "docs", ".ci"].flatMap((folder) => files(folder, ""))
  const texts = [...top, ...kept].filter((file) => file !== "test/project/words.test.ts" && !file.endsWith(".tgz"))

  it.each(banned)("no file holds %s", (_, pattern) => {
    const found = texts.flatMap((file) =>
      read(file)
        .split("\n")
        .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 100)}`] : []))
    )
    assert.deepStrictEqual(found, [])
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { run, temporary } from "./package.ts"
import { read, root, tracked } from "./sources.ts"

/** Written so that this file does not contain the words that it searches for. */
const banned: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  ["a path of somebody's machine", /(?<![\w.~-])\/(work|home|Users|root|tmp)\/\w/],
  ["a registry's address", /"resolved":|registry\.(npmjs|yarnpkg)|_authToken|artifactory|verdaccio/i],
  ["an address of this machine alone", /\b(10\.\d{1,3}|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2}\b/],
  ["unfinished text", new RegExp(["lorem", "ipsum"].join(" "), "i")]
]

describe("words", () => {
  const texts = tracked(root).filter((file) => file !== "test/project/words.test.ts")

  it.each(banned)("no file that git tracks holds %s", (_, pattern) => {
    const found = texts.flatMap((file) =>
      read(file)
        .split("\n")
        .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 100)}`] : []))
    )
    assert.deepStrictEqual(found, [])
  })

  it("reads the files of all folders", () => {
    assert.includeMembers(
      [...texts],
      ["README.md", "package.json", ".ci/run", "src/index.ts", "docs/README.md", "test/project/sources.ts"]
    )
  })

  it("does not read a file that git does not track, or one that was deleted", () => {
    const folder = temporary()
    try {
      for (const file of ["kept.md", "deleted.md", "odd \u{e4}.md", "stranger.md"]) {
        fs.writeFileSync(path.join(folder, file), "")
      }
      run(folder, "git", "init", "--quiet")
      run(folder, "git", "add", "kept.md", "deleted.md", "odd \u{e4}.md")
      fs.rmSync(path.join(folder, "deleted.md"))
      assert.deepStrictEqual(tracked(folder), ["kept.md", "odd \u{e4}.md"])
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

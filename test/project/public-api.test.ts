import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { copyTo, run, temporary } from "./package.ts"

/**
 * The declarations of every public module, without comments and without what is marked `@internal`. It shows a change
 * of the API in a diff.
 */
const report = (declarations: string): string =>
  fs
    .readdirSync(declarations, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".d.ts") && !/(^|\/)(internal\/|shared\/|values\/|index\.d\.ts$)/.test(file))
    .toSorted()
    .map((file) => {
      const text = fs
        .readFileSync(path.join(declarations, file), "utf8")
        .replaceAll(/^(import .*|export \{\};)\n/gm, "")
      return `==== effect-otp/${file.replace(".d.ts", "")}\n\n${text.trim()}\n`
    })
    .join("\n")

describe("public API", () => {
  const work = temporary()
  const declarations = path.join(work, "declarations")

  beforeAll(() => {
    copyTo(work)
    const only = [
      "--emitDeclarationOnly",
      "--declarationMap",
      "false",
      "--sourceMap",
      "false",
      "--removeComments",
      "--stripInternal"
    ]
    run(work, "tsc", "-p", "src/tsconfig.json", ...only, "--outDir", declarations)
  }, 120_000)
  afterAll(() => fs.rmSync(work, { recursive: true, force: true }))

  it("is what test/project/public-api.txt says (npm run api writes it anew)", async () => {
    await expect(report(declarations)).toMatchFileSnapshot("public-api.txt")
  })
})

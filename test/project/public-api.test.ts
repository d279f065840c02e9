import { assert, describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { copyTo, run, temporary } from "./package.ts"

const work = temporary()
const declarations = path.join(work, "declarations")

beforeAll(() => {
  copyTo(work)
  const only = ["--emitDeclarationOnly", "--declarationMap", "false", "--sourceMap", "false", "--removeComments"]
  run(work, "tsc", "-p", "src/tsconfig.json", ...only, "--stripInternal", "--outDir", declarations)
}, 120_000)
afterAll(() => fs.rmSync(work, { recursive: true, force: true }))

const read = (file: string): string => fs.readFileSync(path.join(declarations, file), "utf8")

/** The declarations of all public modules. */
const modules = (): ReadonlyArray<string> =>
  fs
    .readdirSync(declarations, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".d.ts") && !/(^|\/)(internal\/|shared\/|values\/|index\.d\.ts$)/.test(file))
    .toSorted()

interface Names {
  /** The file that declares them. */
  readonly file: string
  readonly names: ReadonlyArray<string>
}

const namesIn = (pattern: RegExp, file: string): ReadonlyArray<Names> =>
  Array.from(read(file).matchAll(pattern), ([, names, from]) => ({
    file: path.join(path.dirname(file), from!).replace(/\.ts$/, ".d.ts"),
    names: names!.split(",").map((name) =>
      name
        .replace(/^\s*(type )?/, "")
        .replace(/ as .*/, "")
        .trim()
    )
  })).filter(({ file }) => /(^|\/)(internal|shared)\//.test(file))

/** What a public module takes in from files that are not public. */
const imported = (file: string) => namesIn(/^import (?:type )?\{([^}]*)\} from "([^"]+)";$/gm, file)

/** What a public module hands on from files that are not public. */
const reexported = (file: string) => namesIn(/^export (?:type )?\{([^}]*)\} from "([^"]+)";$/gm, file)

/** The statements of a file that declare these names. */
const declared = ({ file, names }: Names): string =>
  read(file)
    .split(/^(?=export |declare )/m)
    .filter((statement) =>
      names.some((name) =>
        new RegExp(`^(export )?(declare )?(class|const|type|interface) ${name}(_base)?\\b`).test(statement)
      )
    )
    .join("")
    .trim()

/** Declarations of every public module, without comments: what a change of the API looks like in a diff. */
const report = (): string =>
  modules()
    .map((file) => {
      const text = read(file)
        .replaceAll(/^(import .*|export \{\};)\n/gm, "")
        .trim()
      const handedOn = reexported(file).map((names) => declared(names))
      return `==== effect-otp/${file.replace(".d.ts", "")}\n\n${[text, ...handedOn].join("\n")}\n`
    })
    .join("\n")

describe("public API", () => {
  it("is what test/project/public-api.txt says (npm run api writes it anew)", async () => {
    await expect(report()).toMatchFileSnapshot("public-api.txt")
  })

  it("has no type in its signatures that users cannot import", () => {
    const known = new Set(
      modules().flatMap((file) =>
        reexported(file).flatMap((found) => found.names.map((name) => `${found.file}: ${name}`))
      )
    )
    const hidden = modules().flatMap((file) =>
      imported(file).flatMap((found) =>
        found.names
          // A key that marks a type says nothing by itself.
          .filter((name) => !name.endsWith("TypeId") && !known.has(`${found.file}: ${name}`))
          .map((name) => `${file}: ${name} of ${found.file}`)
      )
    )
    assert.deepStrictEqual(hidden, [])
  })
})

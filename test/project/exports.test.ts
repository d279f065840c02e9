import { assert, describe, it } from "@effect/vitest"
import * as path from "node:path"
import { files, layerOf, type Manifest, parse, ranks, read, type Source, sources } from "./sources.ts"

/** What a barrel exports as a namespace: `export * as Pid from "./Pid.ts"` is `Pid from ./Pid.ts`. */
const namespaces = (source: Source): ReadonlyArray<string> =>
  source.exports
    .flatMap((statement) => statement.entries)
    .map((entry) => `${entry.exportName.name ?? "*"} from ${entry.moduleRequest?.value ?? "itself"}`)

const expected = (module: string, from: string) => `${path.basename(module, ".ts")} from ${from}`

/** The file and all files in `src/` that it reaches. */
const reachable = (all: ReadonlyMap<string, Source>, from: string, seen = new Map<string, Source>()) => {
  const source = all.get(from)
  if (source === undefined || seen.has(from)) return seen
  seen.set(from, source)
  for (const { from: request } of source.imports) {
    if (request.startsWith(".")) reachable(all, path.posix.join(path.posix.dirname(from), request), seen)
  }
  return seen
}

describe("exports", () => {
  const all = sources()
  const byFile = new Map(all.map((source) => [source.file, source]))
  const modules = all.map(({ file }) => file).filter((file) => /^src\/[^/]+\/[A-Z][^/]*\.ts$/.test(file))
  const layers = [...new Set(modules.flatMap((file) => layerOf(file) ?? []))]

  it.each(layers)("the barrel of %s exports each of its modules as a namespace", (layer) => {
    const barrel = parse(`src/${layer}/index.ts`, read(`src/${layer}/index.ts`))
    const own = modules.filter((file) => layerOf(file) === layer)
    assert.sameMembers(
      [...namespaces(barrel)],
      own.map((file) => expected(file, `./${path.basename(file)}`))
    )
  })

  it("src/index.ts exports the modules of ranks 0 to 5, bottom first", () => {
    const index = byFile.get("src/index.ts")
    assert.isDefined(index)
    const core = modules.filter((file) => (ranks[layerOf(file) ?? ""] ?? Infinity) <= 5)
    assert.sameMembers(
      [...namespaces(index)],
      core.map((file) => expected(file, `./${path.relative("src", file)}`))
    )
    const order = index.imports.map(({ from }) => ranks[from.split("/")[1] ?? ""] ?? Infinity)
    assert.deepStrictEqual(
      order,
      order.toSorted((a, b) => a - b)
    )
  })

  it("src/index.ts reaches nothing of Node's", () => {
    const foreign = [...reachable(byFile, "src/index.ts").values()].flatMap(({ file, imports }) =>
      imports.filter(({ from }) => /^(node:|@effect\/platform-node)/.test(from)).map(({ from }) => `${file}: ${from}`)
    )
    assert.deepStrictEqual(foreign, [])
  })

  it("package.json opens each folder by its barrel and closes what is not public", () => {
    const manifest = JSON.parse(read("package.json")) as Manifest
    for (const layer of layers) {
      assert.deepStrictEqual(manifest.exports[`./${layer}`], {
        source: `./src/${layer}/index.ts`,
        types: `./dist/${layer}/index.d.ts`,
        default: `./dist/${layer}/index.js`
      })
      assert.isNull(manifest.exports[`./${layer}/internal/*`])
      assert.isNull(manifest.exports[`./${layer}/shared/*`])
    }
  })

  it("package.json closes what only the layers may use", () => {
    const manifest = JSON.parse(read("package.json")) as Manifest
    assert.isNull(manifest.exports["./values/*"])
  })

  it("a folder holds public modules, a barrel, shared files and internals, and nothing else", () => {
    const strange = files("src", "").filter(
      (file) =>
        !/^src\/(index\.ts|tsconfig\.json|[a-z]+\/(index|[A-Z]\w*|(internal|shared)\/[a-z]\w*(\/\w+)*)\.ts|values\/[a-z]\w*\.ts)$/.test(
          file
        )
    )
    assert.deepStrictEqual(strange, [])
  })
})

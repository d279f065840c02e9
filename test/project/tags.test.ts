/** The tags of doc comments: each public name has a category, a version and a stability, as in Effect. */
import { assert, describe, it } from "@effect/vitest"
import { parseSync } from "vite"
import { parseComment } from "./comment.ts"
import { layerOf, parse, sources, type Source } from "./sources.ts"

const categories = [
  "constructors",
  "errors",
  "guards",
  "layers",
  "models",
  "operations",
  "schemas",
  "services",
  "testing",
  "type IDs"
]

interface Exported {
  readonly name: string
  readonly start: number
}

interface Node {
  readonly type: string
  readonly start: number
  readonly id?: { readonly name?: string } | null
  readonly declarations?: ReadonlyArray<Node>
  readonly body?: Node | ReadonlyArray<Node> | null
}

const declaredBy = (node: Node, start: number): ReadonlyArray<Exported> => {
  const [declarator] = node.declarations ?? []
  const name = (declarator ?? node).id?.name ?? "default"
  const inside = node.type === "TSModuleDeclaration" ? (node.body as { readonly body: ReadonlyArray<Node> }).body : []
  return [{ name, start }, ...inside.flatMap((inner) => declaredBy(inner, inner.start))].filter(
    // A namespace of types has the name of the type above it.
    (exported) => exported.start !== start || node.type !== "TSModuleDeclaration"
  )
}

/** What a public file exports, and where each begins. */
const exportedBy = (source: Source): ReadonlyArray<Exported> =>
  source.program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration") return []
    if (statement.declaration !== null) return declaredBy(statement.declaration as Node, statement.start)
    return statement.specifiers.map(({ exported, start }) => ({
      name: exported.type === "Identifier" ? exported.name : exported.value,
      start
    }))
  })

/** What is missing or wrong in the tags of a public file. */
const wrongTags = (source: Source): ReadonlyArray<string> => {
  if (!/^src\/[a-z]+\/[A-Z]\w*\.ts$/.test(source.file) || layerOf(source.file) === "values") return []
  const { comments } = parseSync(source.file, source.text, { lang: "ts" })
  return exportedBy(source).flatMap(({ name, start }) => {
    const before = comments.findLast(({ end, value }) => end <= start && value.startsWith("*"))
    const between = source.text.slice(before?.end ?? 0, start).replaceAll(/\/\/.*/g, "")
    if (before === undefined || between.trim() !== "") return [`${source.file}: ${name} has no doc comment`]
    const { category, since, stability } = parseComment(before.value)
    return [
      ...(categories.includes(category ?? "") ? [] : [`${source.file}: ${name}: @category ${category}`]),
      ...(/^\d+\.\d+\.\d+$/.test(since ?? "") ? [] : [`${source.file}: ${name}: @since ${since}`]),
      ...(["stable", "experimental", "unstable"].includes(stability ?? "")
        ? []
        : [`${source.file}: ${name}: @stability ${stability}`])
    ]
  })
}

describe("each public name", () => {
  it("has a category, a version and a stability", () => {
    assert.deepStrictEqual(sources().flatMap(wrongTags), [])
  })

  it("is found, however it is exported", () => {
    const text = [
      "/**\n * One.\n *\n * @stability experimental\n * @category models\n * @since 0.1.0\n */\nexport const one = 1",
      "/** Two. */\nexport interface Two {}",
      "export const three = 3",
      "export {\n  /**\n   * @category models\n   * @since 0.1\n   */\n  Four\n} from './Four.ts'",
      "/** Five. */\nexport declare namespace Five {\n  /** @category odd */\n  type Six = 6\n}"
    ].join("\n\n")
    assert.deepStrictEqual(wrongTags(parse("src/kernel/A.ts", text)), [
      "src/kernel/A.ts: Two: @category undefined",
      "src/kernel/A.ts: Two: @since undefined",
      "src/kernel/A.ts: Two: @stability undefined",
      "src/kernel/A.ts: three has no doc comment",
      "src/kernel/A.ts: Four: @since 0.1",
      "src/kernel/A.ts: Four: @stability undefined",
      "src/kernel/A.ts: Six: @category odd",
      "src/kernel/A.ts: Six: @since undefined",
      "src/kernel/A.ts: Six: @stability undefined"
    ])
  })
})

/** The doc comments of public functions, for the check of how many have an example. */
import { parseComment, type Comment } from "./comment.ts"
import { layerOf, type Source } from "./sources.ts"

export interface Documented {
  readonly file: string
  readonly name: string
  readonly comment: Comment
}

type Statement = Source["program"]["body"][number]
type Declaration = Extract<Statement, { type: "VariableDeclaration" }>
type Declarator = Declaration["declarations"][number]

const isFunctionType = (type: { readonly type: string; readonly members?: ReadonlyArray<{ type: string }> }): boolean =>
  type.type === "TSFunctionType" ||
  (type.type === "TSTypeLiteral" && type.members?.some(({ type }) => type === "TSCallSignatureDeclaration") === true)

const isFunction = ({ id, init }: Declarator): boolean => {
  const type = id.type === "Identifier" ? id.typeAnnotation?.typeAnnotation : undefined
  if (type !== undefined && type !== null) return isFunctionType(type)
  return init?.type === "ArrowFunctionExpression"
}

/** The functions that a public module declares and exports, except those marked `@internal`. */
export const publicFunctions = (source: Source, comments: ReadonlyArray<Span>): ReadonlyArray<Documented> => {
  if (!/^src\/[a-z]+\/[A-Z]\w*\.ts$/.test(source.file) || layerOf(source.file) === "values") return []
  return source.program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration" || statement.declaration?.type !== "VariableDeclaration") return []
    const declarator = statement.declaration.declarations[0]!
    if (declarator.id.type !== "Identifier" || !isFunction(declarator)) return []
    const before = comments.findLast(({ end, value }) => end <= statement.start && value.startsWith("*"))
    const between = source.text.slice(before?.end ?? 0, statement.start).replaceAll(/\/\/.*/g, "")
    const comment = parseComment(before === undefined || between.trim() !== "" ? "" : before.value)
    return comment.isInternal ? [] : [{ file: source.file, name: declarator.id.name, comment }]
  })
}

export interface Span {
  readonly value: string
  readonly end: number
}

/** The words of a doc comment, without its examples. */
export const wordsIn = ({ text }: Comment): number =>
  text
    .replaceAll(/```[\s\S]*?```/g, "")
    .split(/\s+/)
    .filter((word) => word !== "").length

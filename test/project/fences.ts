/**
 * The examples of Markdown pages and of doc comments in `src/`. Every fence marked `ts` is compiled, and one marked `ts
 * import.meta.vitest` also runs.
 */
import { parseSync } from "vite"
import { files, read } from "./sources.ts"

export interface Fence {
  readonly file: string
  /** The line of the fence's first line of code, from 1. */
  readonly line: number
  readonly code: string
  /** Whether it runs, or is only compiled. */
  readonly runs: boolean
}

const open = /^(\s*(?:\* )?)```ts( import\.meta\.vitest)?\s*$/

export const fencesOf = (file: string, text: string): ReadonlyArray<Fence> => {
  const lines = text.split("\n")
  return lines.flatMap((line, index) => {
    const opened = open.exec(line)
    if (opened === null) return []
    const margin = opened[1]!
    const end = lines.findIndex((other, at) => at > index && other.trimEnd() === `${margin}\`\`\``)
    if (end < 0) throw new Error(`${file}:${index + 1}: this fence is not closed`)
    const code = lines.slice(index + 1, end).map((inside) => inside.slice(margin.length))
    return [{ file, line: index + 2, code: code.join("\n"), runs: opened[2] !== undefined }]
  })
}

const prelude = [
  `import { assert as __assert } from "@effect/vitest"`,
  `import { Equal as __Equal } from "effect"`,
  `const __equal = (a: unknown, b: unknown) => { if (!__Equal.equals(a, b)) __assert.deepStrictEqual(a, b) }`,
  `export {}`
].join(";")

/**
 * The fence as a module. An expression followed by `// => expected`, on its last line or on the next, is compared with
 * it. Lines keep their numbers of the page, so that errors in the module point to the page.
 */
export const moduleOf = ({ code, file, line }: Fence): string => {
  const { program, comments, errors } = parseSync("fence.ts", code, { lang: "ts" })
  if (errors.length > 0) throw new Error(`${file}:${line}: ${errors.map((error) => error.message).join("; ")}`)
  const compared = comments.reduceRight((text, comment) => {
    const expected = /^ => ?(.+)$/.exec(comment.value)?.[1]
    if (expected === undefined) return text
    const statement = program.body.findLast(({ end }) => end <= comment.start)
    const gap = statement === undefined ? undefined : code.slice(statement.end, comment.start)
    if (statement?.type !== "ExpressionStatement" || gap === undefined || !/^[^\S\n]*\n?[^\S\n]*$/.test(gap)) {
      throw new Error(`${file}:${line}: "// =>${expected}" follows no expression`)
    }
    const { start, end } = statement.expression
    return `${text.slice(0, start)};__equal(${text.slice(start, end)}, ${gap}${expected})${text.slice(comment.end)}`
  }, code)
  return `${prelude}${"\n".repeat(line - 1)}${compared}\n`
}

export const fences = (): ReadonlyArray<Fence> =>
  ["README.md", ...files("docs", ".md"), ...files("src", ".ts")].flatMap((file) => fencesOf(file, read(file)))

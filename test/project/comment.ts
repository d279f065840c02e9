/** Doc comments: their text and their tags. */

export interface Comment {
  /** The Markdown, without the tags. */
  readonly text: string
  readonly category: string | undefined
  readonly since: string | undefined
  readonly stability: string | undefined
  readonly see: ReadonlyArray<string>
  readonly isInternal: boolean
}

/** Reads the inside of a block comment, without its first `/*` and last `*` `/`. */
export const parseComment = (inside: string): Comment => {
  const lines = inside
    .replace(/^\*/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
  const text: Array<string> = []
  const tags: Array<{ readonly name: string; readonly value: Array<string> }> = []
  let isCode = false
  for (const line of lines) {
    if (line.startsWith("```")) isCode = !isCode
    const tag = isCode ? null : /^@(\w+)\s*(.*)$/.exec(line.trimStart())
    if (tag !== null) tags.push({ name: tag[1]!, value: [tag[2]!] })
    else if (tags.length > 0 && line !== "") tags.at(-1)!.value.push(line.trim())
    else if (tags.length === 0) text.push(line)
  }
  const all = (name: string) => tags.filter((tag) => tag.name === name).map(({ value }) => value.join(" ").trim())
  return {
    text: text.join("\n").replace("@internal", "").trim(),
    category: all("category")[0],
    since: all("since")[0],
    stability: all("stability")[0],
    see: all("see"),
    isInternal: /@internal\b/.test(inside)
  }
}

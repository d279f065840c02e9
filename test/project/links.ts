/** Links of Markdown files that lead nowhere. `npm run docs` checks the links of the site. */
import * as fs from "node:fs"
import * as path from "node:path"
import { Marked, type Token } from "marked"

export interface Link {
  readonly file: string
  readonly href: string
}

/** The anchor that GitHub gives to a heading. */
export const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-")

/** The links of a Markdown text, and the anchors of its headings. */
export const linksOf = (
  text: string
): { readonly hrefs: ReadonlyArray<string>; readonly anchors: ReadonlySet<string> } => {
  const hrefs: Array<string> = []
  const anchors = new Set<string>()
  const marked = new Marked()
  void marked.walkTokens(marked.lexer(text), (token: Token) => {
    if (token.type === "link") hrefs.push(token.href as string)
    if (token.type === "heading") anchors.add(slug((token.text as string).replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")))
  })
  return { hrefs, anchors }
}

const isOutside = (href: string): boolean => /^[a-z]+:/.test(href)

/**
 * The links of Markdown files that lead nowhere. `files` are paths from `folder`. A link must lead to something that
 * `exists`, and a link to a heading of a Markdown file must name a heading that it has.
 */
export const deadInMarkdown = (
  folder: string,
  files: ReadonlyArray<string>,
  exists: (file: string) => boolean
): ReadonlyArray<Link> => {
  const read = (file: string) => linksOf(fs.readFileSync(path.join(folder, file), "utf8"))
  return files.flatMap((file) =>
    read(file)
      .hrefs.filter((href) => !isOutside(href))
      .filter((href) => {
        const [to = "", anchor] = href.split("#")
        const target = to === "" ? file : path.posix.join(path.posix.dirname(file), to)
        if (!exists(target)) return true
        return anchor !== undefined && target.endsWith(".md") && !read(target).anchors.has(anchor)
      })
      .map((href) => ({ file, href }))
  )
}

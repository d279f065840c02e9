/** Pages: Markdown and TypeScript as HTML, and what stands around them. */
import * as path from "node:path"
import { Marked } from "marked"

export const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** The anchor of a heading, as GitHub makes it. */
export const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-")

const token =
  /(\/\*[\s\S]*?\*\/|\/\/[^\n]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\b(\d[\d_.]*n?)\b|([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)?)/g

const keywords = new Set(
  "import export from as const let class extends interface type readonly static return yield await async function new if else for of in out while true false undefined null this void never unknown number string boolean bigint object infer keyof typeof satisfies is declare namespace get throw try catch switch case default".split(
    " "
  )
)

/** TypeScript with colours. `link` says where a name leads. */
export const highlight = (code: string, link: (name: string) => string | undefined = () => undefined): string => {
  let html = ""
  let done = 0
  for (const match of code.matchAll(token)) {
    const [text, comment, string, number] = match
    html += escape(code.slice(done, match.index))
    done = match.index + text.length
    if (comment !== undefined) html += `<i class="c">${escape(text)}</i>`
    else if (string !== undefined) html += `<i class="s">${escape(text)}</i>`
    else if (number !== undefined) html += `<i class="n">${text}</i>`
    else html += word(text, link)
  }
  return html + escape(code.slice(done))
}

const word = (text: string, link: (name: string) => string | undefined): string => {
  if (keywords.has(text)) return `<b>${text}</b>`
  const href = link(text)
  return href === undefined ? text : `<a href="${escape(href)}">${text}</a>`
}

/** Markdown as HTML. `resolve` says where a link leads. */
export const markdown = (text: string, resolve: (href: string) => string): string =>
  new Marked({
    renderer: {
      heading({ depth, text, tokens }) {
        const id = slug(text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"))
        return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      link({ href, tokens }) {
        return `<a href="${escape(resolve(href))}">${this.parser.parseInline(tokens)}</a>`
      },
      code({ lang, text }) {
        const language = lang?.split(" ")[0] ?? ""
        return `<pre><code>${language === "ts" ? highlight(text) : escape(text)}</code></pre>\n`
      }
    }
  }).parse(text, { async: false })

export interface NavItem {
  readonly title: string
  /** From the root of the site. */
  readonly file: string
}

export interface NavGroup {
  readonly title: string
  readonly items: ReadonlyArray<NavItem>
}

/** A whole page. `file` is its place, from the root of the site. */
export const page = (options: {
  readonly file: string
  readonly title: string
  readonly body: string
  readonly nav: ReadonlyArray<NavGroup>
}): string => {
  const { body, file, nav, title } = options
  const to = (other: string) => path.posix.relative(path.posix.dirname(file), other)
  const item = ({ file: other, title }: NavItem) =>
    `<li><a href="${to(other)}"${other === file ? ' aria-current="page"' : ""}>${escape(title)}</a></li>`
  const group = ({ items, title }: NavGroup) => `<h2>${escape(title)}</h2><ul>${items.map(item).join("")}</ul>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} · effect-otp</title>
<link rel="stylesheet" href="${to("style.css")}">
</head>
<body>
<nav aria-label="Pages">
<a class="home" href="${to("index.html")}">effect-otp</a>
<input type="search" placeholder="Search" aria-label="Search the pages and the API" data-root="${to("index.html").replace(/index\.html$/, "")}">
<ol class="found" hidden></ol>
${nav.map(group).join("\n")}
</nav>
<main>
${body}
</main>
<script src="${to("entries.js")}"></script>
<script src="${to("search.js")}"></script>
</body>
</html>
`
}

export const style = `
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --line: #d8dee4; --back: #fff; --code: #f6f8fa; --link: #0b57d0; --string: #0a5a2f; --key: #8250df; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9198a1; --line: #30363d; --back: #0d1117; --code: #161b22; --link: #79b8ff; --string: #9ecbac; --key: #d2a8ff; } }
* { box-sizing: border-box; }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); font: 16px/1.6 system-ui, sans-serif; color: var(--text); background: var(--back); }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem; border-right: 1px solid var(--line); font-size: 14px; }
nav h2 { margin: 1.25rem 0 .25rem; font-size: 12px; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); }
nav ul, nav ol { list-style: none; margin: 0; padding: 0; }
nav li a { display: block; padding: .15rem .5rem; border-radius: 4px; color: inherit; }
nav li a[aria-current], nav li a:hover { background: var(--code); }
nav .home { font-weight: 650; font-size: 18px; color: inherit; }
nav input { width: 100%; margin-top: .75rem; padding: .35rem .5rem; font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 6px; }
nav .found { margin: .5rem 0; border-bottom: 1px solid var(--line); }
nav .found small { color: var(--soft); }
main { max-width: 62rem; padding: 2rem 3rem 6rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; } h3 { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 small { font-weight: 400; color: var(--soft); }
code { font: .9em/1.5 ui-monospace, monospace; background: var(--code); padding: .1em .3em; border-radius: 4px; }
pre { background: var(--code); padding: 1rem; border-radius: 8px; overflow-x: auto; } pre code { padding: 0; background: none; font-size: 13.5px; }
pre i { font-style: normal; } pre .c { color: var(--soft); } pre .s { color: var(--string); } pre .n { color: var(--string); } pre b { font-weight: 400; color: var(--key); }
pre.signature { white-space: pre-wrap; } table { border-collapse: collapse; display: block; overflow-x: auto; } th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
blockquote { margin: 1rem 0; padding-left: 1rem; border-left: 3px solid var(--line); color: var(--soft); }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; } main { padding: 1rem; } }
`

/** The search: every word must be in the name or in the first sentence; names come first. */
export const search = `
const input = document.querySelector("nav input")
const found = document.querySelector("nav .found")
input.addEventListener("input", () => {
  const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean)
  const rank = ([name, text]) => {
    const low = name.toLowerCase()
    if (words.every((word) => low.includes(word))) return low.endsWith("." + words.at(-1)) || low === words[0] ? 0 : 1
    return words.every((word) => (low + " " + text.toLowerCase()).includes(word)) ? 2 : 3
  }
  const hits = words.length === 0 ? [] : entries.map((entry) => [rank(entry), entry]).filter(([n]) => n < 3)
  hits.sort(([a], [b]) => a - b)
  found.hidden = words.length === 0
  found.replaceChildren(...hits.slice(0, 20).map(([, [name, text, file]]) => {
    const item = document.createElement("li")
    const link = document.createElement("a")
    link.href = input.dataset.root + file
    link.append(name, document.createElement("br"))
    link.append(Object.assign(document.createElement("small"), { textContent: text }))
    item.append(link)
    return item
  }))
})
`

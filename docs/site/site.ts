/** The static site: the pages of `docs/`, and a reference of every public module from its doc comments. */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Comment } from "./comment.ts"
import { escape, highlight, markdown, type NavGroup, page, search, style } from "./html.ts"
import { type Entry, layers, type Module, readModules, root } from "./modules.ts"

/** A page before it has its frame. */
interface Draft {
  readonly file: string
  readonly title: string
  readonly body: string
}

/** What the search finds: a name, a sentence, and where it leads. */
type Found = readonly [name: string, text: string, file: string]

/** Writes the site into a folder, which is emptied first. */
export const buildSite = (out: string): void => {
  const { files, modules } = readModules()
  const sources = sourceDrafts()
  const written = new Set(sources.map(({ file }) => file))
  const drafts = [
    ...markdownDrafts(written),
    ...sources,
    ...modules.map((module) => moduleDraft(module, modules, files))
  ]
  drafts.push(apiIndex(modules))
  const nav = navOf(drafts, modules)
  fs.rmSync(out, { recursive: true, force: true })
  const write = (file: string, text: string) => {
    fs.mkdirSync(path.dirname(path.join(out, file)), { recursive: true })
    fs.writeFileSync(path.join(out, file), text)
  }
  for (const draft of drafts) write(draft.file, page({ ...draft, nav }))
  write("style.css", style)
  write("search.js", search)
  write("entries.js", `const entries = ${JSON.stringify(foundIn(drafts, modules))}\n`)
}

// ---- the pages of docs/ ---------------------------------------------------------------------------------------------

const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8")

const filesIn = (folder: string, extension: string): ReadonlyArray<string> =>
  fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => path.posix.join(folder, file.replaceAll(path.sep, "/")))
    .filter((file) => file.endsWith(extension))
    .toSorted()

/** Where a file of the repository is in the site. */
const placeOf = (file: string): string =>
  file === "README.md" ? "index.html" : file.replace(/\/README\.md$/, "/index.html").replace(/\.md$/, ".html")

const markdownFiles = (): ReadonlyArray<string> => ["README.md", ...filesIn("docs", ".md"), "test/semantics/cases.md"]

const markdownDrafts = (others: ReadonlySet<string>): ReadonlyArray<Draft> => {
  const pages = new Set(markdownFiles())
  return [...pages].map((file) => {
    const text = read(file)
    const to = placeOf(file)
    const resolve = (href: string): string => {
      if (/^([a-z]+:|#)/.test(href)) return href
      const [target = "", anchor] = href.split("#")
      const found = path.posix.join(path.posix.dirname(file), target)
      const place = pages.has(found)
        ? placeOf(found)
        : [`${found}.html`, `${found}/index.html`].find((at) => others.has(at))
      if (place === undefined) throw new Error(`${file}: ${href} leads to nothing that is in the site`)
      return path.posix.relative(path.posix.dirname(to), place) + (anchor === undefined ? "" : `#${anchor}`)
    }
    return { file: to, title: /^# (.+)$/m.exec(text)?.[1] ?? file, body: markdown(text, resolve) }
  })
}

/** The examples, a page for each file and a list for each folder. */
const sourceDrafts = (): ReadonlyArray<Draft> => {
  const files = filesIn("docs/examples", ".ts")
  const pages = files.map((file) => ({
    file: `${file}.html`,
    title: path.posix.basename(file),
    body: `<h1>${path.posix.basename(file)}</h1><pre><code>${highlight(read(file))}</code></pre>`
  }))
  const folders = new Set(files.map((file) => path.posix.dirname(file)))
  const list = (folder: string, items: ReadonlyArray<readonly [title: string, href: string]>): Draft => ({
    file: `${folder}/index.html`,
    title: path.posix.basename(folder),
    body: `<h1>${path.posix.basename(folder)}</h1><ul>${items
      .map(([title, href]) => `<li><a href="${href}">${title}</a></li>`)
      .join("")}</ul>`
  })
  const inside = (folder: string) =>
    files
      .filter((file) => path.posix.dirname(file) === folder)
      .map((file) => [path.posix.basename(file), `${path.posix.basename(file)}.html`] as const)
  const names = [...folders].map((folder) => path.posix.basename(folder))
  return [
    ...pages,
    ...[...folders].map((folder) => list(folder, inside(folder))),
    list(
      "docs/examples",
      names.map((name) => [name, `${name}/index.html`])
    )
  ]
}

// ---- the reference --------------------------------------------------------------------------------------------------

const pageOf = (module: string): string => `api/${module}.html`

const firstSentence = (text: string): string => (text.split("\n\n")[0] ?? "").replaceAll("\n", " ")

/** Doc comments link with `{@link Name}` and `{@link Module.name}`. */
const withLinks = (text: string, link: (name: string) => string | undefined): string =>
  text.replaceAll(/\{@link ([\w.]+)\}/g, (_, name: string) => {
    const href = link(name)
    return href === undefined ? `\`${name}\`` : `[\`${name}\`](${href})`
  })

/** What a reader looks for comes first. */
const order = [
  "constructors",
  "operations",
  "accessors",
  "guards",
  "layers",
  "services",
  "errors",
  "models",
  "type IDs"
]
const rank = ({ comment }: Entry): number => {
  const at = order.indexOf(comment.category ?? "")
  return at < 0 ? order.length : at
}

const moduleDraft = (
  module: Module,
  modules: ReadonlyArray<Module>,
  files: ReturnType<typeof readModules>["files"]
): Draft => {
  const file = pageOf(module.path)
  const href = (path: string, name?: string): string | undefined => {
    const other = modules.find((other) => other.path === path)
    if (other === undefined) return undefined
    const to = path === module.path ? "" : relative(file, pageOf(path))
    if (name === undefined) return to === "" ? "#" : to
    return other.entries.some((entry) => entry.name === name) ? `${to}#${name}` : undefined
  }
  /** What a name means in a declaration of `home`. */
  const linkIn = (home: string, self?: string) => (name: string) => {
    const [first = "", second] = name.split(".")
    const imported = files.get(home)?.imports.get(first)
    if (second !== undefined)
      return imported?.name === undefined && imported !== undefined ? href(imported.module, second) : undefined
    if (first === self) return undefined
    if (imported !== undefined) return imported.name === undefined ? undefined : href(imported.module, imported.name)
    return href(home, first)
  }
  /** What a doc comment links to. */
  const linkFrom = (home: string) => (name: string) => {
    const [first = "", second] = name.split(".")
    const here = linkIn(home)(name) ?? href(module.path, first)
    if (second === undefined && here !== undefined) return here
    const other = modules.find((other) => other.name === first)
    return other === undefined ? here : href(other.path, second)
  }
  const text = ({ see, text }: Comment, home: string): string =>
    markdown(
      withLinks([text, ...(see.length === 0 ? [] : [`**See also**: ${see.join("; ")}`])].join("\n\n"), linkFrom(home)),
      (href) => href
    )
  const entry = ({ comment, home, kind, name, signature }: Entry): string =>
    `<h3 id="${escape(name)}">${escape(name)} <small>${kind}</small></h3>
<pre class="signature"><code>${highlight(signature, linkIn(home, name))}</code></pre>
${text(comment, home)}`
  const entries = module.entries.toSorted((a, b) => rank(a) - rank(b))
  const categories = [...new Set(entries.map(({ comment }) => comment.category ?? "other"))]
  const section = (category: string): string =>
    `<h2 id="category-${category.replaceAll(" ", "-")}">${category}</h2>\n${module.entries
      .filter(({ comment }) => (comment.category ?? "other") === category)
      .map(entry)
      .join("")}`
  const contents = entries
    .map(
      ({ comment, name }) =>
        `<tr><td><a href="#${name}"><code>${name}</code></a></td><td>${inline(comment.text)}</td></tr>`
    )
    .join("\n")
  const imports = `import { ${module.name} } from "effect-otp${["node", "testing"].includes(module.layer) ? `/${module.layer}` : ""}"`
  return {
    file,
    title: module.name,
    body: `<h1>${module.name}</h1>
${text(module.header, module.path)}
<pre><code>${highlight(imports)}</code></pre>
<table><tbody>${contents}</tbody></table>
${categories.map(section).join("\n")}`
  }
}

const inline = (text: string): string =>
  markdown(firstSentence(text).replaceAll(/\{@link ([\w.]+)\}/g, "`$1`"), (href) => href).replace(/^<p>|<\/p>\n?$/g, "")

const relative = (from: string, to: string): string => path.posix.relative(path.posix.dirname(from), to)

const apiIndex = (modules: ReadonlyArray<Module>): Draft => {
  const rows = (layer: string) =>
    modules
      .filter((module) => module.layer === layer)
      .map(
        ({ header, name, path }) =>
          `<tr><td><a href="${path}.html"><code>${name}</code></a></td><td>${inline(header.text)}</td></tr>`
      )
      .join("\n")
  return {
    file: "api/index.html",
    title: "API reference",
    body: `<h1>API reference</h1>\n${layers
      .map((layer) => `<h2 id="${layer}">${layer}</h2><table><tbody>${rows(layer)}</tbody></table>`)
      .join("\n")}`
  }
}

// ---- around the pages -----------------------------------------------------------------------------------------------

const navOf = (drafts: ReadonlyArray<Draft>, modules: ReadonlyArray<Module>): ReadonlyArray<NavGroup> => {
  const pages = read("docs/README.md")
  /** As `docs/README.md` lists them. */
  const place = (file: string) => pages.indexOf(`](${path.posix.relative("docs", file).replace(/html$/, "md")})`)
  const within = (folder: string) =>
    drafts
      .filter(({ file }) => path.posix.dirname(file) === folder && !file.endsWith("/index.html"))
      .toSorted((a, b) => place(a.file) - place(b.file))
  return [
    { title: "Guide", items: within("docs/guide") },
    { title: "Pages", items: within("docs") },
    ...layers.map((layer) => ({
      title: layer,
      items: modules
        .filter((module) => module.layer === layer)
        .map(({ name, path }) => ({ title: name, file: pageOf(path) }))
    })),
    { title: "Decisions", items: within("docs/decisions") }
  ]
}

const foundIn = (drafts: ReadonlyArray<Draft>, modules: ReadonlyArray<Module>): ReadonlyArray<Found> => [
  ...modules.flatMap((module): ReadonlyArray<Found> => [
    [module.name, firstSentence(module.header.text), pageOf(module.path)],
    ...module.entries.map(({ comment, name }): Found => [
      `${module.name}.${name}`,
      firstSentence(comment.text),
      `${pageOf(module.path)}#${name}`
    ])
  ]),
  ...drafts
    .filter(({ file }) => file.startsWith("docs/") && !file.startsWith("docs/examples/"))
    .map(({ body, file, title }): Found => [title, /<p>([^<]*)/.exec(body)?.[1] ?? "", file])
]

import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { parseComment } from "../../docs/site/comment.ts"
import { highlight, slug } from "../../docs/site/html.ts"
import { deadInMarkdown, deadInSite, linksOf } from "../../docs/site/links.ts"
import { buildSite } from "../../docs/site/site.ts"
import { temporary } from "./package.ts"
import { read, root, tracked } from "./sources.ts"

describe("links in Markdown", () => {
  const all = tracked(root)
  const pages = all.filter((file) => file.endsWith(".md"))
  const exists = (file: string) => all.includes(file) || all.some((other) => other.startsWith(`${file}/`))

  it("lead to a file of the repository, and to a heading of it", () => {
    assert.isAbove(pages.length, 25)
    assert.deepStrictEqual(deadInMarkdown(root, pages, exists), [])
  })

  it("lead to every page of docs/ from its list of pages", () => {
    const { hrefs } = linksOf(read("docs/README.md"))
    const listed = new Set(hrefs.map((href) => path.posix.join("docs", href)))
    assert.deepStrictEqual(
      pages.filter((file) => file.startsWith("docs/") && file !== "docs/README.md" && !listed.has(file)),
      []
    )
  })
})

describe("the site", () => {
  const folder = path.join(temporary(), "site")

  beforeAll(() => buildSite(folder), 120_000)
  afterAll(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))

  const text = (file: string) => fs.readFileSync(path.join(folder, file), "utf8")

  it("has no link that leads nowhere", () => {
    assert.deepStrictEqual(deadInSite(folder), [])
  })

  it("has a page for every public module, with an anchor for every public name", () => {
    const report = read("test/project/public-api.txt")
      .split(/^==== effect-otp\//m)
      .slice(1)
    const missing = report.flatMap((module) => {
      const file = module.slice(0, module.indexOf("\n"))
      const names = Array.from(
        module.matchAll(/^export (?:declare )?(?:const|class|interface|type|function) (\w+)/gm),
        ([, name]) => name!
      )
      const html = text(`api/${file}.html`)
      return names.filter((name) => !html.includes(` id="${name}"`)).map((name) => `${file}.${name}`)
    })
    assert.isAbove(report.length, 30)
    assert.deepStrictEqual(missing, [])
  })

  it("shows signatures with links, examples with colours, and no name marked @internal", () => {
    const html = text("api/supervision/Supervisor.html")
    assert.include(html, '<a href="../kernel/Pid.html#Pid">Pid</a>')
    assert.include(html, "<b>class</b> App <b>extends</b>")
    assert.notInclude(html, "import.meta.vitest")
    assert.notInclude(html, 'id="askRun"')
  })

  it("finds names by the search, with the sentence that says what they are", () => {
    const entries = JSON.parse(text("entries.js").slice("const entries = ".length)) as ReadonlyArray<unknown>
    assert.deepInclude(entries, [
      "Supervisor.Strategy",
      "Which siblings are restarted with a child that failed: none, all, or those after it.",
      "api/supervision/Supervisor.html#Strategy"
    ])
  })
})

describe("the parts of the site", () => {
  it("make the anchors of headings as GitHub does", () => {
    assert.deepStrictEqual(
      ["Which tool when", "Not here: a lock for each key", "`gen_server`, sys", "What it costs?"].map(slug),
      ["which-tool-when", "not-here-a-lock-for-each-key", "gen_server-sys", "what-it-costs"]
    )
  })

  it("read a doc comment: its text, and its tags over several lines", () => {
    const comment = [
      "*",
      " * Adds.",
      " *",
      " * ```ts",
      " * // @since is no tag here",
      " * ```",
      " * @see {@link x} for",
      " *   more"
    ]
    assert.deepStrictEqual(parseComment([...comment, " * @category operations", " * @since 0.1.0", " "].join("\n")), {
      text: "Adds.\n\n```ts\n// @since is no tag here\n```",
      category: "operations",
      since: "0.1.0",
      stability: undefined,
      see: ["{@link x} for more"],
      isInternal: false
    })
  })

  it("escape code, and link the names they know", () => {
    const link = (name: string) => (name === "Pid.Pid" ? "Pid.html#Pid" : undefined)
    assert.strictEqual(
      highlight('const a: Pid.Pid<"x"> = b // <', link),
      '<b>const</b> a: <a href="Pid.html#Pid">Pid.Pid</a>&lt;<i class="s">&quot;x&quot;</i>&gt; = b <i class="c">// &lt;</i>'
    )
  })

  it("find links that lead nowhere", () => {
    const folder = temporary()
    try {
      fs.writeFileSync(
        path.join(folder, "a.md"),
        "# A b\n[1](b.md) [2](#a-b) [3](#c) [4](a.md#d) [5](https://effect.website)"
      )
      assert.deepStrictEqual(
        deadInMarkdown(folder, ["a.md"], (file) => file === "a.md").map(({ href }) => href),
        ["b.md", "#c", "a.md#d"]
      )
      fs.writeFileSync(
        path.join(folder, "a.html"),
        '<h1 id="a"></h1><a href="#a"></a><a href="#b"></a><a href="c.html"></a>'
      )
      assert.deepStrictEqual(
        deadInSite(folder).map(({ href }) => href),
        ["#b", "c.html"]
      )
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

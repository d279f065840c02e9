import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { deadInMarkdown, linksOf, slug } from "./links.ts"
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

describe("the check of links", () => {
  it("makes the anchors of headings as GitHub does", () => {
    assert.deepStrictEqual(
      ["Which tool when", "Not here: a lock for each key", "`gen_server`, sys", "What it costs?"].map(slug),
      ["which-tool-when", "not-here-a-lock-for-each-key", "gen_server-sys", "what-it-costs"]
    )
  })

  it("finds links that lead nowhere", () => {
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
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

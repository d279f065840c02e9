import { assert, describe, it } from "@effect/vitest"
import { type Manifest, read } from "./sources.ts"

const manifest = JSON.parse(read("package.json")) as Manifest

describe("the changelog", () => {
  const headings = Array.from(read("docs/changelog.md").matchAll(/^## (.*)$/gm), ([, heading]) => heading!)

  it("has a section for each version, with its date unless it is still to come", () => {
    const odd = headings.filter((heading) => !/^\d+\.\d+\.\d+, (\d{4}-\d{2}-\d{2}|unreleased)$/.test(heading))
    assert.deepStrictEqual(odd, [])
    const late = headings.slice(1).filter((heading) => heading.endsWith("unreleased"))
    assert.deepStrictEqual(late, [], "only the newest version may be unreleased")
  })

  it("begins with the version of the package, or with the one after it", () => {
    const [newest, released] = headings.map((heading) => heading.split(",")[0])
    assert.include([newest, released], manifest.version)
    assert.isTrue(headings[0]!.endsWith("unreleased") || newest === manifest.version)
  })

  it("is sorted, the newest version first", () => {
    const versions = headings.map((heading) => heading.split(",")[0]!)
    const sorted = versions.toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }))
    assert.deepStrictEqual(versions, sorted)
  })
})

describe("package.json", () => {
  it("says where the package lives, in three fields that agree", () => {
    const { bugs, homepage, repository } = manifest
    const place = repository.url.replace(/^git\+/, "").replace(/\.git$/, "")
    assert.deepStrictEqual(
      { type: repository.type, homepage, bugs: bugs.url },
      { type: "git", homepage: `${place}#readme`, bugs: `${place}/issues` }
    )
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll } from "vitest"
import { deadInMarkdown } from "./links.ts"
import { copyTo, run, temporary } from "./package.ts"
import { files, type Manifest, read, root } from "./sources.ts"

const link = (app: string, name: string) => {
  const to = path.join(app, "node_modules", name)
  fs.mkdirSync(path.dirname(to), { recursive: true })
  fs.symlinkSync(path.join(root, "node_modules", name), to)
}

const layers = new Set(files("src", "index.ts").map((file) => path.dirname(path.relative("src", file))))
layers.delete(".")

const paths = ["effect-otp", "effect-otp/kernel/Pid", ...[...layers].map((layer) => `effect-otp/${layer}`)]

const main = `
import { Effect } from "effect"
${paths.map((from, index) => `import * as M${index} from "${from}"`).join("\n")}
import { ExitReason } from "effect-otp"

export const modules: ReadonlyArray<object> = [${paths.map((_, index) => `M${index}`).join(", ")}]
// @ts-expect-error a type of the package is a type here, not any
export const wrong: string = ExitReason.normal

const expected: boolean = ExitReason.isExpected(ExitReason.normal)
console.log(await Effect.runPromise(Effect.succeed(expected)), modules.every((one) => Object.keys(one).length > 0))
`

describe("the packed package, in an empty Effect app", () => {
  const { version } = JSON.parse(read("package.json")) as Manifest
  const work = temporary()
  const build = path.join(work, "build")
  const app = path.join(work, "app")

  beforeAll(() => {
    fs.mkdirSync(build)
    fs.mkdirSync(path.join(app, "src"), { recursive: true })
    copyTo(build)
    run(build, "npm", "pack", "--silent", "--pack-destination", work)
    const manifest = { name: "app", private: true, type: "module" }
    fs.writeFileSync(path.join(app, "package.json"), JSON.stringify(manifest))
    // Peers are linked and not installed, so that no network is needed.
    run(
      app,
      "npm",
      "install",
      "--offline",
      "--legacy-peer-deps",
      "--no-audit",
      path.join(work, `effect-otp-${version}.tgz`)
    )
    for (const name of ["effect", "@types/node", "@effect/platform-node"]) link(app, name)
    const compilerOptions = {
      target: "ES2024",
      lib: ["ESNext", "DOM"],
      module: "NodeNext",
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      outDir: "out",
      rootDir: "src"
    }
    fs.writeFileSync(path.join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }))
    fs.writeFileSync(path.join(app, "src/main.ts"), main)
  }, 120_000)
  afterAll(() => fs.rmSync(work, { recursive: true, force: true }), 60_000)

  it("type-checks, declarations included, and runs", { timeout: 120_000 }, () => {
    run(app, "tsc", "-p", ".")
    assert.strictEqual(run(app, "node", "out/main.js"), "true true\n")
  })

  it("holds every file that its exports name", () => {
    const installed = path.join(app, "node_modules/effect-otp")
    const manifest = JSON.parse(fs.readFileSync(path.join(installed, "package.json"), "utf8")) as Manifest
    const named = Object.values(manifest.exports).flatMap((entry) =>
      // A folder that is not written yet already has its lines in the manifest.
      entry === null || typeof entry === "string" || !fs.existsSync(path.join(root, entry["source"] ?? ""))
        ? []
        : Object.values(entry)
    )
    assert.isAbove(named.length, 3)
    assert.deepStrictEqual(
      named.filter((file) => !fs.existsSync(path.join(installed, file))),
      []
    )
  })

  it("holds what it should and no more", () => {
    const packed = fs.readdirSync(path.join(app, "node_modules/effect-otp")).toSorted()
    assert.deepStrictEqual(packed, ["LICENSE", "README.md", "dist", "docs", "package.json", "src", "test"])
  })

  it("has no page with a link to something that is not in the package", () => {
    const installed = path.join(app, "node_modules/effect-otp")
    const pages = fs
      .readdirSync(installed, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md"))
      .map((file) => file.replaceAll(path.sep, "/"))
    assert.includeMembers(pages, ["README.md", "docs/AGENTS.md", "docs/guide/01-first-server.md"])
    assert.deepStrictEqual(
      deadInMarkdown(installed, pages, (file) => fs.existsSync(path.join(installed, file))),
      []
    )
  })

  it.each([
    "effect-otp/kernel/internal/pump",
    "effect-otp/values/describe",
    "effect-otp/index",
    "effect-otp/kernel/index"
  ])("closes %s", (name) => {
    const code = `import("${name}").then(() => "open", (error) => error.code).then(console.log)`
    assert.strictEqual(run(app, "node", "--input-type=module", "--eval", code), "ERR_PACKAGE_PATH_NOT_EXPORTED\n")
  })
})

/** The public modules, read from the declarations that the compiler makes of `src/`. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync } from "vite"
import { type Comment, parseComment } from "./comment.ts"

export const root = fileURLToPath(new URL("../..", import.meta.url))

export interface Entry {
  readonly name: string
  readonly kind: "function" | "constant" | "class" | "interface" | "type" | "namespace"
  /** The declaration as TypeScript. */
  readonly signature: string
  readonly comment: Comment
  /** The module whose declaration this is; another one if the module only exports it on. */
  readonly home: string
}

export interface Module {
  /** Without extension: `kernel/Process`. */
  readonly path: string
  readonly name: string
  readonly layer: string
  readonly header: Comment
  readonly entries: ReadonlyArray<Entry>
}

type Parsed = ReturnType<typeof parseSync>

interface File {
  readonly path: string
  readonly text: string
  readonly parsed: Parsed
  /** What a name of this file means elsewhere: `Pid` is `kernel/Pid`'s `Pid`, `Process` the module `kernel/Process`. */
  readonly imports: ReadonlyMap<string, { readonly module: string; readonly name: string | undefined }>
}

/** Every declaration file, by its path without extension. */
type Files = ReadonlyMap<string, File>

/** Compiles the declarations of `src/` into a folder of their own, which is deleted afterwards. */
export const readModules = (): { readonly modules: ReadonlyArray<Module>; readonly files: Files } => {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "effect-otp-docs-"))
  try {
    const tsc = path.join(root, "node_modules/.bin/tsc")
    const options = ["--emitDeclarationOnly", "--declarationMap", "false", "--sourceMap", "false", "--outDir", folder]
    const { status, stdout } = spawnSync(tsc, ["-p", "src/tsconfig.json", ...options], { cwd: root, encoding: "utf8" })
    if (status !== 0) throw new Error(`The declarations do not compile:\n${stdout}`)
    const files = new Map(
      fs
        .readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".d.ts"))
        .map((file) => file.replaceAll(path.sep, "/").replace(/\.d\.ts$/, ""))
        .toSorted()
        .map((file) => [file, fileOf(file, fs.readFileSync(path.join(folder, `${file}.d.ts`), "utf8"))])
    )
    const modules = [...files.keys()].filter(isPublic).map((file) => moduleOf(file, files))
    return { modules, files }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** The folders of `src/`, bottom first, as `src/index.ts` and `docs/architecture.md` list them. */
export const layers = ["telemetry", "kernel", "naming", "behaviour", "supervision", "application", "node", "testing"]

const isPublic = (file: string): boolean => /^[a-z]+\/[A-Z]\w+$/.test(file) && layers.includes(file.split("/")[0]!)

const fileOf = (file: string, text: string): File => {
  const parsed = parseSync(`${file}.d.ts`, text, { lang: "dts" })
  if (parsed.errors.length > 0) throw new Error(`${file}: ${parsed.errors.map(({ message }) => message).join("; ")}`)
  const imports = new Map<string, { readonly module: string; readonly name: string | undefined }>()
  for (const { entries, moduleRequest } of parsed.module.staticImports) {
    const module = target(file, moduleRequest.value)
    if (module === undefined) continue
    for (const { importName, localName } of entries) {
      imports.set(localName.value, { module, name: importName.name ?? undefined })
    }
  }
  return { path: file, text, parsed, imports }
}

/** The file that a relative import means, without extension. */
const target = (from: string, specifier: string): string | undefined =>
  specifier.startsWith(".")
    ? path.posix.join(path.posix.dirname(from), specifier).replace(/(\.d)?\.ts$|\.js$/, "")
    : undefined

const moduleOf = (file: string, files: Files): Module => {
  const source = fs.readFileSync(path.join(root, "src", `${file}.ts`), "utf8")
  const header = /^\/\*([\s\S]*?)\*\//.exec(source)?.[1] ?? ""
  const [layer, name] = file.split("/") as [string, string]
  return { path: file, name, layer, header: parseComment(header), entries: entriesOf(file, files) }
}

type Statement = Parsed["program"]["body"][number]

const entriesOf = (file: string, files: Files): ReadonlyArray<Entry> => {
  const found = files.get(file)
  if (found === undefined) return []
  const { parsed } = found
  const entries = parsed.program.body.flatMap((statement): ReadonlyArray<Entry> => {
    if (statement.type === "ExportAllDeclaration") {
      const from = target(file, statement.source.value)
      return from === undefined ? [] : entriesOf(from, files)
    }
    if (statement.type !== "ExportNamedDeclaration") return []
    if (statement.declaration !== null) return declared(found, statement.declaration, statement)
    const from = statement.source === null ? file : target(file, statement.source.value)
    return statement.specifiers.flatMap((specifier) => {
      const local = nameOf(specifier.local)
      const name = nameOf(specifier.exported)
      const home = from === undefined ? undefined : declarationOf(from, local, files)
      if (home === undefined) return []
      const own = commentBefore(found, specifier.start)
      return [{ ...home, name, comment: own ?? home.comment }]
    })
  })
  return entries.filter(({ comment }) => !comment.isInternal)
}

const nameOf = (node: { readonly type: string; readonly name?: string; readonly value?: unknown }): string =>
  node.name ?? (node.value as string)

/** The declaration of a name, exported or not, followed through whatever exports it on. */
const declarationOf = (file: string, name: string, files: Files): Entry | undefined => {
  const found = files.get(file)
  if (found === undefined) return undefined
  for (const statement of found.parsed.program.body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    if (declaration === null) continue
    const entry = declared(found, declaration as Declaration, statement).find((entry) => entry.name === name)
    if (entry !== undefined) return entry
  }
  const imported = found.imports.get(name)
  if (imported?.name !== undefined) return declarationOf(imported.module, imported.name, files)
  return entriesOf(file, files).find((entry) => entry.name === name)
}

type Declaration = NonNullable<Extract<Statement, { type: "ExportNamedDeclaration" }>["declaration"]>

const declared = (file: File, declaration: Declaration, statement: Statement): ReadonlyArray<Entry> => {
  const comment = commentBefore(file, statement.start) ?? parseComment("")
  const text = file.text.slice(declaration.start, declaration.end).replace(/^declare /, "")
  const entry = (name: string, kind: Entry["kind"], signature = text): ReadonlyArray<Entry> => [
    { name, kind, signature, comment, home: file.path }
  ]
  switch (declaration.type) {
    case "VariableDeclaration": {
      const { id } = declaration.declarations[0]!
      if (id.type !== "Identifier") return []
      const type = id.typeAnnotation?.typeAnnotation
      const isFunction = type !== undefined && isCallable(file.text.slice(type.start, type.end))
      return entry(id.name, isFunction ? "function" : "constant", text.replace(/;$/, ""))
    }
    case "TSTypeAliasDeclaration":
      return entry(declaration.id.name, "type", text.replace(/;$/, ""))
    case "TSInterfaceDeclaration":
      return entry(declaration.id.name, "interface")
    case "ClassDeclaration": {
      const name = declaration.id!.name
      return entry(name, "class", /extends \w+_base\b/.test(text) ? classHead(file.path, name) : text)
    }
    case "TSModuleDeclaration":
      return declaration.id.type === "Identifier" ? entry(declaration.id.name, "namespace") : []
    default:
      return []
  }
}

/** A function, or an object of overloads. */
export const isCallable = (type: string): boolean => /^(<|\(|\{\s*(<|\())/.test(type)

/** What the source says of a class whose base the compiler has given a name of its own: an error. */
const classHead = (file: string, name: string): string => {
  const text = fs.readFileSync(path.join(root, "src", `${file}.ts`), "utf8")
  const { program } = parseSync(`${file}.ts`, text, { lang: "ts" })
  for (const statement of program.body) {
    const node = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    if (node?.type === "ClassDeclaration" && node.id?.name === name) {
      return text.slice(node.start, node.body.start).trim()
    }
  }
  return `class ${name}`
}

const commentBefore = ({ parsed, text }: File, start: number): Comment | undefined => {
  const comment = parsed.comments.findLast(({ end }) => end <= start)
  if (comment?.type !== "Block" || !comment.value.startsWith("*")) return undefined
  return text.slice(comment.end, start).trim() === "" ? parseComment(comment.value) : undefined
}

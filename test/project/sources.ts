/** The repository's files, read and parsed for the checks of this folder. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync } from "vite"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Every file under `folder` with one of these `extensions`, as sorted paths from the root. */
export const files = (folder: string, ...extensions: ReadonlyArray<string>): ReadonlyArray<string> =>
  !fs.existsSync(path.join(root, folder))
    ? []
    : fs
        .readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension)))
        .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
        .toSorted()

/** Every file of a checkout that git tracks, except deleted ones. A checkout may also hold files of other people. */
export const tracked = (checkout: string): ReadonlyArray<string> => {
  const listed = spawnSync("git", ["ls-files", "-z"], { cwd: checkout, encoding: "utf8" })
  if (listed.status !== 0) throw listed.error ?? new Error(`git ls-files: ${listed.stderr}`)
  return listed.stdout
    .split("\0")
    .filter((file) => file !== "" && fs.existsSync(path.join(checkout, file)))
    .toSorted()
}

export const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8")

/** The part of package.json that the checks read. */
export interface Manifest {
  readonly version: string
  readonly homepage: string
  readonly bugs: { readonly url: string }
  readonly repository: { readonly type: string; readonly url: string }
  readonly exports: Readonly<Record<string, null | string | Readonly<Record<string, string>>>>
}

type Parsed = ReturnType<typeof parseSync>

export interface Source {
  /** From the root: `src/kernel/Pid.ts`. */
  readonly file: string
  readonly text: string
  readonly program: Parsed["program"]
  /** The modules that the file imports or re-exports from, types included. */
  readonly imports: ReadonlyArray<{ readonly from: string; readonly at: number }>
  readonly exports: Parsed["module"]["staticExports"]
}

export const parse = (file: string, text: string): Source => {
  const { program, module, errors } = parseSync(file, text, { lang: "ts" })
  if (errors.length > 0) throw new Error(`${file}: ${errors.map((error) => error.message).join("; ")}`)
  const requests = [
    ...module.staticImports.map((statement) => statement.moduleRequest),
    ...module.staticExports.flatMap((statement) => statement.entries.flatMap((entry) => entry.moduleRequest ?? [])),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
      value: text.slice(start + 1, end - 1),
      start
    }))
  ]
  const imports = requests.map((request) => ({ from: request.value, at: request.start }))
  return { file, text, program, imports, exports: module.staticExports }
}

/** `file:line`, for messages that an editor can follow. */
export const position = (source: Source, at: number): string =>
  `${source.file}:${source.text.slice(0, at).split("\n").length}`

/** Every module of `src/`, parsed. */
export const sources = (): ReadonlyArray<Source> => files("src", ".ts").map((file) => parse(file, read(file)))

/** Ranks of the folders of `src/`. A file imports from its own folder or a lower rank. */
export const ranks: Readonly<Record<string, number>> = {
  values: -1,
  telemetry: 0,
  kernel: 1,
  naming: 2,
  behaviour: 3,
  supervision: 4,
  application: 5,
  observer: 6,
  node: 7,
  storage: 7,
  cluster: 7,
  port: 7,
  testing: 8
}

/** `src/kernel/internal/x.ts` is in the layer `kernel`; `src/index.ts` is in no layer. */
export const layerOf = (file: string): string | undefined => /^src\/([^/]+)\//.exec(file)?.[1]

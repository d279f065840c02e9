/**
 * The package as its users get it. It is built and packed from a copy of the sources, so that runs do not disturb each
 * other in `dist/`.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { root } from "./sources.ts"

const bin = path.join(root, "node_modules/.bin")

/** Runs a tool of the repository with its Node. If it fails, the error has the tool's output. */
export const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): string => {
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env["PATH"] ?? ""}`, NODE_OPTIONS: "" }
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: "utf8" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error([`${command} ${args.join(" ")}`, stdout, stderr].join("\n"))
  return stdout
}

/** An empty folder outside the repository. */
export const temporary = (): string => fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "effect-otp-"))

/** Copies the files of the package into `folder`. */
export const copyTo = (folder: string): void => {
  for (const name of [
    "package.json",
    "tsconfig.json",
    "README.md",
    "LICENSE",
    "src",
    "docs",
    "test/semantics/cases.md"
  ]) {
    fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true })
  }
  fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"))
}

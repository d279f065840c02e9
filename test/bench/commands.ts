/**
 * How each arm runs: in a fresh process, on one core if `taskset` is installed; the BEAM's arms if `elixir` is
 * installed.
 */
import { execFileSync } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { arms } from "./arms/index.ts"

/** What `beam.exs` measures, by the key of our figure for the same work. */
const beamArms: ReadonlyArray<string> = [
  "cast_per_s",
  "call_per_s",
  "call_1000_clients_per_s",
  "ring_hops_per_s",
  "agent_update_per_s",
  "server_start_per_s",
  "idle_server_bytes",
  "spawn_exit_per_s",
  "whereis_per_s",
  "register_per_s",
  "lookup_per_s",
  "start_child_per_s",
  "crash_restart_per_s",
  "crash_restart_one_supervisor_per_s",
  "stop_20000_children_ms",
  "stop_20000_dynamic_children_ms",
  "async_stream_per_s"
]

const output = (command: string, args: ReadonlyArray<string>): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

/** The answer of a program that may not be installed. */
const answer = (command: string, ...args: ReadonlyArray<string>): string | undefined => {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return undefined
  }
}

/** Figures by their key. */
export type Measured = Readonly<Record<string, number>>

/** The last core, because the machine does most of its other work on the first. */
const core = String(availableParallelism() - 1)
export const isPinned = answer("taskset", "-c", core, "true") !== undefined
export const elixirVersion = answer("elixir", "--version")?.split("\n").at(-1)

/** The output of a command: one figure, or several by the end of their key. */
const pinned = (key: string, command: string, ...args: ReadonlyArray<string>): Measured => {
  const printed: unknown = JSON.parse(
    isPinned ? output("taskset", ["-c", core, command, ...args]) : output(command, args)
  )
  const figures =
    typeof printed === "number"
      ? { [key]: printed }
      : Object.fromEntries(Object.entries(printed as Measured).map(([end, figure]) => [`${key}_${end}`, figure]))
  if (Object.values(figures).every(Number.isFinite)) return figures
  throw new Error(`${command} ${args.join(" ")} printed ${JSON.stringify(printed)} instead of figures`)
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const prefixed = (prefix: string, key: string): string => prefix + key[0]!.toUpperCase() + key.slice(1)

/**
 * The commands by the key of their arm. The figures of one work (ours, raw Effect's, the BEAM's) follow each other, so
 * that a disturbance meets all of them.
 */
export const commands = (scale: string): ReadonlyMap<string, () => Measured> => {
  const inNode = (arm: string) => () =>
    pinned(arm, process.execPath, "--expose-gc", "--conditions=source", file("one.ts"), arm, scale)
  const onBeam = (arm: string) => () =>
    pinned(prefixed("beam", arm), "elixir", "--erl", "+P 5000000 +S 1:1", file("beam.exs"), arm, scale)
  const all = new Map<string, () => Measured>()
  for (const key of Object.keys(arms).filter((key) => !key.startsWith("raw"))) {
    all.set(key, inNode(key))
    const raw = prefixed("raw", key)
    if (arms[raw] !== undefined) all.set(raw, inNode(raw))
    if (elixirVersion !== undefined && beamArms.includes(key)) all.set(prefixed("beam", key), onBeam(key))
  }
  // Figures that have no counterpart here.
  for (const key of elixirVersion === undefined ? [] : beamArms) all.set(prefixed("beam", key), onBeam(key))
  return all
}

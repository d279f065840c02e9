/** Draws a machine by trying sample events in every situation that they lead to. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe } from "../../../values/describe.ts"
import type { Tagged } from "../../Transition.ts"
import type { Machine } from "./machineEngine.ts"
import { toArray } from "./machineEngine.ts"
import { MachineEvent } from "./machineEvent.ts"
import { elapse } from "../../Transition.ts"
import { isElapse, step, type Handled, type Simulation } from "./machineSimulation.ts"

interface Picture {
  readonly machine: Machine
  /** The lines of the edges, in the order they were found. */
  readonly edges: Set<string>
  readonly postpones: Map<string, Set<string>>
  /** The tags of the events that were handled. */
  readonly tried: Set<string>
}

/** @internal */
export const draw = (starts: ReadonlyArray<Simulation>, events: ReadonlyArray<unknown>, limit: number): string => {
  const { machine } = starts[0]!
  const picture: Picture = { machine, edges: new Set(), postpones: new Map(), tried: new Set() }
  const seen = new Set<string>()
  const open: Array<Simulation> = []
  const visit = (simulation: Simulation) => {
    note(picture, simulation.handled)
    const key = situation(simulation)
    if (simulation.stopped !== undefined || seen.has(key) || seen.size >= limit) return
    seen.add(key)
    open.push({ ...simulation, handled: [], replies: [], performed: [] })
  }
  for (const start of starts) {
    picture.edges.add(`[*] --> ${nameOf(start.handled[0]?.in ?? start.running.state)}`)
    visit(start)
  }
  for (let at = open.shift(); at !== undefined; at = open.shift()) {
    const from = at
    const inputs = [...events, ...waits(from)]
    for (const input of inputs) {
      const exit = Effect.runSyncExit(Effect.sync(() => step(from, input)))
      if (Exit.isSuccess(exit)) visit(exit.value)
      else picture.edges.add(`${nameOf(from.running.state)} --> [*]: ${labelOf(input)} (crashes)`)
    }
  }
  return text(picture, seen.size >= limit ? limit : undefined)
}

/** For each timer, the time that has to pass until it fires. */
const waits = ({ dues, now }: Simulation): ReadonlyArray<unknown> =>
  [...new Set(dues.values())].map((due) => elapse(due - now))

/** The key of a situation. It does not depend on who asked, nor on how often the same event is postponed. */
const situation = ({ dues, now, running }: Simulation): string => {
  const timers = [...running.timers].map(([name, { event, number }]) => [
    describe(name),
    event,
    number === 0 ? 0 : (dues.get(number) ?? 0) - now
  ])
  const postponed = [...new Set(toArray(running.postponed).map((event) => JSON.stringify(event, plain)))]
  return JSON.stringify([running.state, timers, new Set(postponed.toSorted(compare))], plain)
}

const compare = (a: string, b: string): number => (a < b ? -1 : 1)

/** Gives JSON a form of values that it cannot express. */
const plain = (_: string, value: unknown): unknown => {
  if (value instanceof Map || value instanceof Set) return [...value]
  return typeof value === "bigint" ? `${value}n` : value
}

const note = ({ edges, postpones, tried }: Picture, handled: ReadonlyArray<Handled>): void => {
  for (const { afterMillis: after, event, in: before, postponed, state, transition } of handled) {
    const tag = tagOf(event)
    tried.add(tag)
    const label = after === undefined || after === 0 ? tag : `${tag} after ${duration(after)}`
    const from = nameOf(before)
    if (postponed) postpones.set(from, (postpones.get(from) ?? new Set()).add(tag))
    if (transition === "Stop") edges.add(`${from} --> [*]: ${label}`)
    else if (transition !== "Keep") edges.add(`${from} --> ${nameOf(state)}: ${label}`)
  }
}

const tagOf = (event: unknown): string => (event instanceof MachineEvent ? event.tag : (event as Tagged)._tag)

const labelOf = (input: unknown): string => (isElapse(input) ? "timeout" : tagOf(input))

const duration = (millis: number): string => (millis % 1000 === 0 ? `${millis / 1000} s` : `${millis} ms`)

/** A name that the diagram language accepts. */
const nameOf = ({ _tag }: Tagged): string => _tag.replaceAll(/\W/g, "_")

const text = ({ edges, machine, postpones, tried }: Picture, limit: number | undefined): string => {
  const states = Object.keys(machine.states).map((_tag) => `  ${nameOf({ _tag })}`)
  const notes = [...postpones].map(([state, tags]) => `  ${state}: postpones ${[...tags].join(", ")}`)
  const known = new Set([...Object.values(machine.states), machine.common].flatMap((handlers) => Object.keys(handlers)))
  const untried = [...known].filter((tag) => tag !== "onEnter" && !tried.has(tag))
  const remarks = [
    ...(untried.length === 0 ? [] : [`  %% never handled: ${untried.join(", ")}`]),
    ...(limit === undefined ? [] : [`  %% given up after ${limit} situations`])
  ]
  return ["stateDiagram-v2", ...states, ...[...edges].map((edge) => `  ${edge}`), ...notes, ...remarks].join("\n")
}

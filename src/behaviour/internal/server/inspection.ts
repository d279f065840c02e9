/** What observers see and change from outside: the state, message counts, traces, and readers of states. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { deepFreeze } from "../../../kernel/shared/deepFreeze.ts"
import { render, type Settings } from "../../../values/render.ts"
import { CallEnvelope } from "../call/envelopes.ts"
import type { Server } from "./server.ts"
import type { MachineStatus, MachineTimer, ServerSpec } from "./serverSpec.ts"
import { shownBy } from "./formattedStatus.ts"
import { withListener, Inspectors, type StateReader, type MessageCounts, type Tracer } from "./turnListeners.ts"
import { settingsOf } from "../../../kernel/shared/displaySettings.ts"

// ---- the state ----------------------------------------------------------------------------------------------------

/** @internal */
export const replaceState = (server: Server, value: unknown): void => {
  const { lens } = server.spec
  const state = lens === undefined ? value : lens.set(server.state, value)
  if (server.record.kernel.freezes) deepFreeze(state)
  server.state = state
  watchersOf(server)?.became(state)
}

interface ShownStatus {
  readonly state: unknown
  readonly machine: MachineStatus | undefined
}

/** The state, and what a state machine has to do, as people may see them. @internal */
export const shownStatus = ({ record, spec, state: whole }: Server): ShownStatus => {
  const known = { state: whole, message: undefined, reason: undefined }
  const pending = whole === undefined ? undefined : spec.lens?.machine(whole)
  const { machine, state } = shownBy(spec, pending === undefined ? known : { ...known, machine: pending })
  const settings = settingsOf(record.context)
  return {
    state: render(state, "same", settings),
    machine: machine === undefined ? undefined : shownMachine(machine, settings)
  }
}

/** Every timer is listed. The events have the limits of a list. */
const shownMachine = ({ postponed, queue, timers }: MachineStatus, settings: Settings): MachineStatus => {
  const show = <A>(value: A): A => render(value, "same", settings) as A
  const shownTimer = ({ event, left, name }: MachineTimer, index: number): MachineTimer => ({
    name: show(name),
    left,
    event: index < settings.limits.width ? show(event) : MORE
  })
  return { queue: show(queue), postponed: show(postponed), timers: timers.map(shownTimer) }
}

const MORE = "…"

// ---- looking on ---------------------------------------------------------------------------------------------------

/** @internal */
export const messageCount = (server: Server): MessageCounts | undefined => watchersOf(server)?.tally

/** Begins to count messages from zero, or stops. @internal */
export const countMessages = (server: Server, enabled: boolean): void => {
  const watchers = watched(server)
  watchers.tally = enabled ? { sinceNanos: nowNanos(server), messagesIn: 0, messagesOut: 0 } : undefined
  update(server, watchers)
}

/** @internal */
export const addTracer = (server: Server, tracer: Tracer): void => {
  const watchers = watched(server)
  watchers.tracers.add(tracer)
  update(server, watchers)
}

/** @internal */
export const addReader = (server: Server, reader: StateReader): void => {
  const watchers = watched(server)
  watchers.readers.add(reader)
  update(server, watchers)
}

/** Runs between two steps of the server, so that the removed observer gets nothing more. @internal */
export const removeListener = (server: Server, who: Tracer | StateReader): void => {
  const watchers = watchersOf(server)
  if (watchers === undefined) return
  watchers.tracers.delete(who)
  watchers.readers.delete(who as StateReader)
  update(server, watchers)
}

/** @internal */
export const nowNanos = ({ record }: Server): bigint =>
  Context.get(record.context, Clock.Clock).monotonicTimeNanosUnsafe()

/** The observers that were added by a request, if any. */
const watchersOf = ({ watch }: Server): Inspectors | undefined => (watch instanceof Inspectors ? watch : undefined)

const watched = (server: Server): Inspectors => watchersOf(server) ?? new Inspectors(server.watch, server.spec)

/** Updates the server after observers have changed. Without observers it is as it was before, at no cost. */
const update = (server: Server, watchers: Inspectors): void => {
  if (!server.record.isAlive) return
  server.spec = watchers.hearsMessages ? (watchers.listeningSpec ??= listenTo(server, watchers)) : watchers.spec
  server.watch = watchers.isEmpty ? watchers.below : watchers
}

const listenTo = (server: Server, watchers: Inspectors): ServerSpec =>
  withListener(watchers.spec, {
    message: (tag, payload) => {
      const message = server.inHand
      watchers.received(message?.from, { _tag: message instanceof CallEnvelope ? "Call" : "Cast", tag, payload })
    },
    other: (received) => watchers.received(server.inHand?.from, received)
  })

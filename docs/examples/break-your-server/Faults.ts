/**
 * Real faults on demand. Nothing here is simulated. Outside of this file only the servers that are told to fail know of
 * it.
 */
import type * as Array from "effect/Array"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as GenServer from "effect-otp/behaviour/GenServer"
import * as Process from "effect-otp/kernel/Process"
import * as net from "node:net"
import { Rooms } from "./Rooms.ts"
import { Sessions } from "./Sessions.ts"
import { Settings } from "./Settings.ts"
import { Saboteur } from "./Storage.ts"
import { Upstream } from "./Upstream.ts"

/** There is no such target. */
export class UnknownTarget extends Data.TaggedError("UnknownTarget")<{ readonly message: string }> {}

/** Breaks a target, and returns what was broken. */
export const breakTarget = Effect.fnUntraced(function* (target: string, name: string) {
  if (target === "random") [target, name] = yield* anything
  const fault = Object.hasOwn(faults, target) ? faults[target as keyof typeof faults] : undefined
  if (fault === undefined) {
    return yield* new UnknownTarget({ message: `no target "${target}": break one of ${targets.join(", ")}` })
  }
  yield* fault(name)
  return name === "" ? target : `${target}/${name}`
})

const faults = {
  /** The SQLite handle is closed while its owner uses it. */
  database: () => Saboteur.use((saboteur) => saboteur.closeDatabase(undefined, { whenDown: "wait" })),
  /** The weather service does not answer its next request. With `upstream/fail` it answers with an error. */
  upstream: (how: string) =>
    Upstream.use(({ breakDown }) => breakDown({ how: how === "fail" ? "fail" : "stall", requests: 1 })),
  /** A handler of the room dies. */
  room: (name: string) => Effect.flatMap(room(name), (room) => room.crash()),
  /** A handler of the room never returns. */
  hang: (name: string) => Effect.flatMap(room(name), (room) => room.hang()),
  /** The room gets 10,000 messages at once. */
  flood: (name: string) =>
    Effect.flatMap(room(name), (room) =>
      Effect.replicateEffect(room.say({ from: "flood", text: "more" }), 10_000, { discard: true })
    ),
  /** The process of a connection is killed. */
  session: Effect.fnUntraced(function* (id: string) {
    const session = yield* (yield* Sessions).get(id)
    const pid = Option.isNone(session) ? Option.none() : yield* GenServer.pid(session.value)
    if (Option.isNone(pid)) return yield* new UnknownTarget({ message: `there is no session "${id}"` })
    yield* Process.kill(pid.value)
  }),
  /** The event loop is blocked for 300 milliseconds. */
  loop: () => Effect.sync(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)),
  /** A throw outside of any Effect. It ends the operating-system process. */
  callback: () =>
    Settings.useSync(({ port, host }) => {
      net.connect(port, host, () => {
        throw new Error("thrown in a raw socket callback")
      })
    })
}

export const targets = [...Object.keys(faults), "random"]

const room = Effect.fnUntraced(function* (name: string) {
  const found = yield* (yield* Rooms).get(name)
  if (Option.isSome(found)) return found.value
  return yield* new UnknownTarget({ message: `nobody is in a room "${name}" at the moment` })
})

/** A random fault that the operating-system process survives, on a target that exists. */
const anything = Effect.gen(function* () {
  const rooms = (yield* (yield* Rooms).whichChildren).map(({ key }) => key)
  const sessions = (yield* (yield* Sessions).whichChildren).map(({ key }) => key)
  const possible: Array.NonEmptyReadonlyArray<readonly [target: string, name: string]> = [
    ["database", ""],
    ["upstream", ""],
    ["loop", ""],
    ...["room", "hang", "flood"].flatMap((target) => rooms.map((name) => [target, name] as const)),
    ...sessions.map((id) => ["session", id] as const)
  ]
  return yield* Random.choice(possible)
})

/**
 * The supervision tree as it is now: which processes run, how often each was restarted, and the counts of all messages.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Accounting from "effect-otp/kernel/Accounting"
import * as Handle from "effect-otp/kernel/Handle"
import * as Kernel from "effect-otp/kernel/Kernel"
import type * as Pid from "effect-otp/kernel/Pid"
import * as Process from "effect-otp/kernel/Process"
import type * as DynamicSupervisor from "effect-otp/supervision/DynamicSupervisor"
import type * as Supervisor from "effect-otp/supervision/Supervisor"
import { Chat } from "./Chat.ts"
import { Rooms } from "./Rooms.ts"
import { Sessions } from "./Sessions.ts"
import { Storage } from "./Storage.ts"

/** A process or a resource, with everything below it. */
interface Branch {
  readonly name: string
  readonly state: string
  /** Null for a resource, and for a child that is down. */
  readonly pid: string | null
  readonly restarts: number
  readonly mailbox: number
  readonly children: ReadonlyArray<Branch>
}

type Named = readonly [name: string, supervisor: Supervisor.SupervisorHandle]

/**
 * The supervisors above, the root first. They are added once they are up, because a child cannot require the supervisor
 * that starts it.
 */
export class Above extends Context.Service<Above, Ref.Ref<ReadonlyArray<Named>>>()("demo/Above") {
  static readonly layer = Layer.effect(this, Ref.make<ReadonlyArray<Named>>([]))
}

export const snapshot = Effect.gen(function* () {
  const messages = yield* Kernel.messages
  return {
    osProcess: process.pid,
    counts: yield* Kernel.counts,
    messages: { ...messages, missing: Accounting.missing(messages) },
    tree: yield* tree
  }
})

const tree = Effect.gen(function* () {
  const above = yield* Ref.get(yield* Above)
  const supervisors = new Map<string, Effect.Effect<ReadonlyArray<Child>>>([
    ...above.map(([name, { whichChildren }]) => [name, named(whichChildren)] as const),
    [Chat.key, named((yield* Chat).whichChildren)],
    [Storage.key, named((yield* Storage).whichChildren)],
    [Rooms.key, named((yield* Rooms).whichChildren)],
    [Sessions.key, named((yield* Sessions).whichChildren)]
  ])
  const grow = ({ name, state, pid, restarts }: Child): Effect.Effect<Branch> =>
    Effect.gen(function* () {
      const info = pid === undefined ? undefined : Option.getOrUndefined(yield* Process.info(pid))
      const below = yield* supervisors.get(info?.label ?? "") ?? Effect.succeed([])
      const children = yield* Effect.forEach(below, grow)
      return {
        name,
        state,
        pid: pid === undefined ? null : String(pid),
        restarts,
        mailbox: info?.mailboxLength ?? 0,
        children
      }
    })
  return yield* Effect.forEach(above.slice(0, 1), ([name, root]) =>
    Effect.flatMap(Handle.pid(root), (pid) =>
      grow({ name, state: "running", pid: Option.getOrUndefined(pid), restarts: 0 })
    )
  )
})

interface Child {
  readonly name: string
  readonly state: string
  readonly pid: Pid.Pid | undefined
  readonly restarts: number
}

const named = Effect.map((children: ReadonlyArray<Supervisor.ChildInfo | DynamicSupervisor.ChildInfo>) =>
  children.map((child): Child => ({ ...child, name: "id" in child ? child.id : child.key }))
)

/**
 * What must and what must not compile about state machines. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics missingEffectError:off
import { Context, Effect, type Layer, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import { type GenServer, StateMachine } from "effect-otp/behaviour"
import { ExitReason, type Signal } from "effect-otp/kernel"
import type { Name } from "effect-otp/naming"
import { DynamicSupervisor, Supervisor } from "effect-otp/supervision"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class WrongCode extends Schema.TaggedError<WrongCode>()("WrongCode", { tries: Schema.Finite }) {}
class Codes extends Context.Service<Codes, { readonly check: (code: string) => Effect.Effect<boolean> }>()(
  "types/Codes"
) {}
class Bell extends Context.Service<Bell, { readonly ring: Effect.Effect<void> }>()("types/Bell") {}

const unlock = Rpc.make("unlock", { payload: { code: Schema.String }, success: Schema.Boolean, error: WrongCode })
const status = Rpc.make("status", { success: Schema.String })
const push = StateMachine.cast("push")

interface Locked {
  readonly _tag: "Locked"
  readonly tries: number
}
interface Checking {
  readonly _tag: "Checking"
  readonly from: StateMachine.From<boolean, WrongCode>
  readonly tries: number
}
interface Open {
  readonly _tag: "Open"
}
type State = Locked | Checking | Open

type Event = { readonly _tag: "Checked"; readonly right: boolean } | { readonly _tag: "AutoLock" }

class Door extends StateMachine.Service<Door, Event>()("types/Door", [unlock, status, push]) {
  static readonly definition = this.define({
    init: (tries: number) => Effect.succeed<State>({ _tag: "Locked", tries }),
    common: {
      status: (_, state) => {
        same<typeof state, State>(true)
        return StateMachine.keep([StateMachine.reply(state._tag)])
      },
      AutoLock: () => StateMachine.keep()
    },
    states: {
      Locked: {
        unlock: ({ code }, state, { from }) => {
          same<typeof code, string>(true)
          same<typeof state, Locked>(true)
          same<typeof from, StateMachine.From<boolean, WrongCode>>(true)
          if (code === "") return StateMachine.keep([StateMachine.fail(new WrongCode({ tries: state.tries }))])
          return StateMachine.next({ _tag: "Checking", from, tries: state.tries }, [
            StateMachine.perform(
              "check",
              Effect.map(
                Effect.flatMap(Codes, ({ check }) => check(code)),
                (right): Event => ({ _tag: "Checked", right })
              )
            )
          ])
        },
        push: () => StateMachine.keep(),
        Checked: () => StateMachine.keep()
      },
      Checking: {
        onEnter: (state, previous) => {
          same<typeof state, Checking>(true)
          same<typeof previous, State>(true)
          return StateMachine.keep([StateMachine.stateTimeout("1 second", { _tag: "AutoLock" })])
        },
        unlock: () => StateMachine.keep([StateMachine.postpone]),
        push: () => StateMachine.keep([StateMachine.postpone]),
        Checked: ({ right }, { from, tries }) => {
          same<typeof right, boolean>(true)
          return right
            ? StateMachine.next({ _tag: "Open" }, [StateMachine.replyTo(from, true)])
            : StateMachine.next({ _tag: "Locked", tries: tries - 1 }, [
                StateMachine.failTo(from, new WrongCode({ tries }))
              ])
        }
      },
      Open: {
        onEnter: () =>
          StateMachine.keep([
            StateMachine.perform(
              "ring",
              Effect.flatMap(Bell, ({ ring }) => ring)
            )
          ]),
        unlock: (_, state) => StateMachine.repeat(state, [StateMachine.reply(true)]),
        push: () => StateMachine.next({ _tag: "Locked", tries: 3 }),
        AutoLock: (event) => {
          same<typeof event, { readonly _tag: "AutoLock" }>(true)
          return StateMachine.next({ _tag: "Locked", tries: 3 })
        },
        Checked: () => StateMachine.stop(ExitReason.normal)
      }
    }
  })
}

same<typeof Door.definition.layer, (tries: number) => Layer.Layer<Door, never, Codes | Bell>>(true)
same<
  typeof Door.definition.start,
  (
    tries: number
  ) => Effect.Effect<GenServer.Client<typeof unlock | typeof status | typeof push>, never, Codes | Bell | Scope.Scope>
>(true)
// @ts-expect-error the Layer takes the arguments of init
export const wrongLayer = Door.definition.layer("three")

export const client = Effect.gen(function* () {
  const door = yield* Door
  const asked = door.unlock({ code: "1" }, { timeout: "1 second", whenDown: "wait" })
  same<typeof asked, Effect.Effect<boolean, WrongCode | GenServer.CallError>>(true)
  const pushed = door.push()
  same<typeof pushed, Effect.Effect<void>>(true)
  // @ts-expect-error the payload is checked
  yield* door.unlock({ code: 1 })
  // @ts-expect-error an event of the machine's own is not a message
  yield* door.AutoLock()
})

// Under both kinds of supervisors.
export class Tree extends Supervisor.Service<Tree>()("types/DoorTree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Door.definition.layer(3))]
}) {}
export class Doors extends DynamicSupervisor.Service<Doors>()("types/Doors", { child: Door.definition }) {}
same<typeof Tree.layer, Layer.Layer<Tree | Door, never, Codes | Bell>>(true)

// ---- without a process --------------------------------------------------------------------------------------------

export const simulated = StateMachine.simulate(Door.definition, {
  from: { _tag: "Locked", tries: 3 },
  events: [StateMachine.message("unlock", { code: "1" }), StateMachine.elapse("1 second"), { _tag: "AutoLock" }],
  results: { check: { _tag: "Checked", right: true } }
})
same<typeof simulated.state, State>(true)

export const asked = simulated.replies.map(({ exit, request }) => [request, exit])
export const stepped = StateMachine.step(simulated, StateMachine.message("push"))
same<typeof stepped, typeof simulated>(true)
// @ts-expect-error there is no such event
StateMachine.step(simulated, { _tag: "Unlocked" })
// @ts-expect-error its payload is a text
StateMachine.step(simulated, StateMachine.message("unlock", { code: 1 }))
// @ts-expect-error there is no such state
StateMachine.simulate(Door.definition, { from: { _tag: "Shut" }, events: [] })
// @ts-expect-error a state has its data
StateMachine.simulate(Door.definition, { from: { _tag: "Locked" }, events: [] })
StateMachine.toMermaid(Door.definition, { from: [{ _tag: "Open" }], events: [StateMachine.message("push")] })
// @ts-expect-error a picture needs a state to begin with
StateMachine.toMermaid(Door.definition, { from: [], events: [] })

// ---- names, info, what is optional --------------------------------------------------------------------------------

type Light = { readonly _tag: "On"; readonly by: string } | { readonly _tag: "Off" }
const toggle = StateMachine.cast("toggle")
const { keep, next, reply } = StateMachine

class Lamp extends StateMachine.Service<Lamp>()("types/Lamp", [toggle]) {
  static readonly named = this.define({
    name: (room: string) => `lamp/${room}`,
    init: (room: string) =>
      room === "" ? Effect.fail("no room" as const) : Effect.succeed<Light>({ _tag: "On", by: room }),
    info: (message: "power cut" | Signal.Signal, state) => {
      same<typeof state, Light>(true)
      return message === "power cut" ? next({ _tag: "Off" }) : keep()
    },
    states: {
      On: { toggle: () => next({ _tag: "Off" }, [StateMachine.insert(StateMachine.message("toggle"))]) },
      Off: { toggle: () => next({ _tag: "On", by: "toggle" }) }
    },
    terminate: (reason, state) => {
      same<typeof state, Light>(true)
      return Effect.flatMap(Bell, ({ ring }) => (reason._tag === "Normal" ? ring : Effect.void))
    },
    formatStatus: ({ state, message }) => ({ state: state._tag, message }),
    mailbox: { capacity: 10, strategy: "suspend" },
    drain: true
  })
  // Requirements come from everywhere: here from the first actions, and from info.
  static readonly started = this.define({
    init: () => {
      const off: Light = { _tag: "Off" }
      return Effect.succeed(
        StateMachine.start(off as Light, [
          StateMachine.eventTimeout("1 minute", StateMachine.message("toggle")),
          StateMachine.perform(
            "ring",
            Effect.flatMap(Bell, ({ ring }) => ring)
          )
        ])
      )
    },
    info: (signal, state) => {
      same<typeof signal, Signal.Signal>(true)
      return next(state, [
        StateMachine.perform(
          "check",
          Effect.flatMap(Codes, ({ check }) => Effect.asVoid(check("")))
        )
      ])
    },
    common: { toggle: () => keep() },
    states: { On: {}, Off: {} }
  })
}
same<typeof Lamp.named.layer, (room: string) => Layer.Layer<Lamp, "no room" | Name.AlreadyStarted, Bell>>(true)
same<typeof Lamp.started.layer, () => Layer.Layer<Lamp, never, Bell | Codes>>(true)

declare const silent: boolean
export const optional = Lamp.define({
  init: () => Effect.succeed<Light>({ _tag: "Off" }),
  info: silent ? undefined : () => keep(),
  common: silent ? undefined : { toggle: () => keep() },
  states: { On: { toggle: () => keep() }, Off: { toggle: () => keep() } },
  terminate: silent ? undefined : () => Effect.void,
  formatStatus: undefined,
  mailbox: undefined,
  drain: undefined,
  name: undefined
})
same<typeof optional.layer, () => Layer.Layer<Lamp>>(true)

// ---- mistakes -----------------------------------------------------------------------------------------------------

const read = Rpc.make("read", { success: Schema.Finite, error: WrongCode })
type Tick = { readonly _tag: "Tick"; readonly at: number }
declare const light: Light
const init = () => Effect.succeed<Light>({ _tag: "Off" })
const Off = { read: () => keep([reply(0)]), toggle: () => keep(), Tick: () => keep() }

class Mistakes extends StateMachine.Service<Mistakes, Tick>()("types/LampMistakes", [read, toggle]) {
  static readonly fine = this.define({ init, states: { On: Off, Off } })

  // @ts-expect-error a state is missing
  static readonly missingState = this.define({ init, states: { Off } })

  // @ts-expect-error a message is missing in a state
  static readonly missingMessage = this.define({ init, states: { Off, On: { read: Off.read, Tick: Off.Tick } } })

  // @ts-expect-error an event of its own is missing in a state
  static readonly missingEvent = this.define({ init, states: { Off, On: { read: Off.read, toggle: Off.toggle } } })

  static readonly notInCommon = this.define({
    init,
    common: { Tick: () => keep() },
    // @ts-expect-error a message is missing, in a state and in common
    states: { Off, On: { read: Off.read } }
  })

  // @ts-expect-error there is no such state
  static readonly extraState = this.define({ init, states: { Off, On: Off, Dim: Off } })

  static readonly extraEvent = this.define({
    init,
    states: {
      Off,
      // @ts-expect-error there is no such event
      On: { ...Off, Tock: () => keep() }
    }
  })

  static readonly extraCommon = this.define({
    init,
    // @ts-expect-error there is no such event
    common: { Tock: () => keep() },
    states: { Off, On: Off }
  })

  static readonly wrongTarget = this.define({
    init,
    // @ts-expect-error there is no such state
    states: { Off, On: { ...Off, toggle: () => next({ _tag: "Dim" }) } }
  })

  static readonly wrongData = this.define({
    init,
    // @ts-expect-error the state has data
    states: { On: Off, Off: { ...Off, toggle: () => next({ _tag: "On" }) } }
  })

  static readonly repeatsOther = this.define({
    init,
    // @ts-expect-error only the present state can be repeated
    states: { On: Off, Off: { ...Off, toggle: () => StateMachine.repeat({ _tag: "On", by: "" }) } }
  })

  static readonly wrongReply = this.define({
    init,
    // @ts-expect-error the answer is a number
    states: { On: Off, Off: { ...Off, read: () => keep([reply("bright")]) } }
  })

  static readonly wrongFailure = this.define({
    init,
    // @ts-expect-error the call declares another failure
    states: { On: Off, Off: { ...Off, read: () => keep([StateMachine.fail("dark")]) } }
  })

  static readonly castReplies = this.define({
    init,
    // @ts-expect-error a cast has no caller to answer
    states: { On: Off, Off: { ...Off, toggle: () => keep([reply(1)]) } }
  })

  static readonly wrongStopReply = this.define({
    init,
    states: {
      On: Off,
      // @ts-expect-error the last answer is a number, too
      Off: { ...Off, read: () => StateMachine.stopReply(ExitReason.normal, [reply("bright")]) }
    }
  })

  static readonly wrongTimer = this.define({
    init,
    // @ts-expect-error there is no such event
    states: { On: Off, Off: { ...Off, toggle: () => keep([StateMachine.stateTimeout(1, { _tag: "Tock" })]) } }
  })

  static readonly wrongInsert = this.define({
    init,
    // @ts-expect-error the event has no such data
    states: { On: Off, Off: { ...Off, toggle: () => keep([StateMachine.insert({ _tag: "Tick", at: "noon" })]) } }
  })

  static readonly failingEffect = this.define({
    init,
    states: {
      On: Off,
      Off: {
        ...Off,
        // @ts-expect-error an effect cannot fail: its failure must become an event
        toggle: () => keep([StateMachine.perform("ring", Effect.fail("boom"))])
      }
    }
  })

  static readonly wrongResult = this.define({
    init,
    // @ts-expect-error an effect gives an event
    states: { On: Off, Off: { ...Off, toggle: () => keep([StateMachine.perform("ask", Effect.succeed(1))]) } }
  })

  static readonly effectful = this.define({
    init,
    // @ts-expect-error a handler is pure: it returns a transition and not an effect
    states: { On: Off, Off: { ...Off, toggle: () => Effect.succeed(keep()) } }
  })

  static readonly startPostpones = this.define({
    // @ts-expect-error there is no event to postpone at the start
    init: () => Effect.succeed(StateMachine.start(light, [StateMachine.postpone])),
    states: { On: Off, Off }
  })

  static readonly infoReplies = this.define({
    init,
    // @ts-expect-error info has no caller to answer
    info: () => keep([reply(1)]),
    states: { On: Off, Off }
  })

  static readonly enterLeaves = this.define({
    init,
    // @ts-expect-error onEnter cannot leave the state
    states: { On: Off, Off: { ...Off, onEnter: () => next({ _tag: "On", by: "" }) } }
  })

  static readonly enterPostpones = this.define({
    init,
    // @ts-expect-error onEnter has no event to postpone
    states: { On: Off, Off: { ...Off, onEnter: () => keep([StateMachine.postpone]) } }
  })

  static readonly enterInserts = this.define({
    init,
    // @ts-expect-error onEnter cannot insert an event
    states: { On: Off, Off: { ...Off, onEnter: () => keep([StateMachine.insert({ _tag: "Tick", at: 1 })]) } }
  })
}
export const mistakes = Mistakes

declare const from: StateMachine.From<number, WrongCode>
StateMachine.replyTo(from, 1)
// @ts-expect-error the answer is a number
StateMachine.replyTo(from, "1")
// @ts-expect-error the failure has another type
StateMachine.failTo(from, "1")

// @ts-expect-error an event of the machine has the tag of a message
export class Clash extends StateMachine.Service<Clash, { readonly _tag: "toggle" }>()("types/Clash", [toggle]) {}
// @ts-expect-error an event of the machine cannot be called onEnter
export class Enter extends StateMachine.Service<Enter, { readonly _tag: "onEnter" }>()("types/Enter", [push]) {}

/**
 * What must and what must not compile about state machines. Checked by `tsc`; nothing here runs.
 */
import { Context, Effect, type Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { StateMachine } from "effect-otp/behaviour"
import { ExitReason } from "effect-otp/kernel"

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

export const simulated = StateMachine.simulate(Door.definition, {
  from: { _tag: "Locked", tries: 3 },
  events: [StateMachine.message("unlock", { code: "1" }), StateMachine.elapse("1 second"), { _tag: "AutoLock" }],
  results: { check: { _tag: "Checked", right: true } }
})
same<typeof simulated.state, State>(true)

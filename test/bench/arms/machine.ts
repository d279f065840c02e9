/** State machines. */
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { StateMachine } from "effect-otp"
import { check, perSecond, type Arms } from "../arm.ts"

type State = { readonly _tag: "Off"; readonly count: number } | { readonly _tag: "On"; readonly count: number }

const { next, reply } = StateMachine

/** Each call changes the state, and with it a timer. */
class Switch extends StateMachine.Service<Switch>()("bench/Switch", [
  Rpc.make("toggle", { success: Schema.Number }),
  StateMachine.cast("off")
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed<State>({ _tag: "Off", count: 0 }),
    states: {
      Off: {
        toggle: (_, { count }) =>
          next({ _tag: "On", count: count + 1 }, [
            reply(count + 1),
            StateMachine.stateTimeout("1 hour", StateMachine.message("off"))
          ]),
        off: () => StateMachine.keep()
      },
      On: {
        toggle: (_, { count }) => next({ _tag: "Off", count: count + 1 }, [reply(count + 1)]),
        off: (_, { count }) => next({ _tag: "Off", count })
      }
    }
  })
}

const calls = (count: number) =>
  Effect.map(Switch.definition.start(), (machine) =>
    Effect.gen(function* () {
      const before = yield* machine.toggle()
      for (let i = 2; i < count; i++) yield* machine.toggle()
      yield* check("calls", yield* machine.toggle(), before + count - 1)
    })
  )

export const machineArms: Arms = {
  state_machine_call_per_s: perSecond(100_000, calls)
}

/**
 * State machines with random faults: no message vanishes, each call ends exactly once, and messages that were postponed
 * when a machine ended have failed. Every run draws its script from its seed and plays it in the order of that seed.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Random, Scope } from "effect"
import { GenServer, StateMachine } from "effect-otp/behaviour"
import { Accounting, ExitReason, Kernel, Process, Shutdown } from "effect-otp/kernel"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { inKernel, settle } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"
import {
  type Client,
  definition,
  type From,
  get,
  type Own,
  Refused,
  start,
  type State,
  type Step,
  type Transition
} from "./machinePuppet.ts"

const { keep, next, postpone, perform, reply, replyTo, stateTimeout, stop, stopReply, timeout } = StateMachine

interface Choices {
  readonly int: (below: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

const choices: Effect.Effect<Choices> = Effect.map(Random.Random, (random) => {
  const int = (below: number) => Math.floor(random.nextDoubleUnsafe() * below)
  return {
    int,
    chance: (probability) => random.nextDoubleUnsafe() < probability,
    pick: <A>(from: ReadonlyArray<A>): A => from[int(from.length)]!
  }
})

const own = (step: Step): Own => ({ _tag: "Own", step })

/** What a message does. It is drawn again each time the message comes. */
const stepOf = ({ chance, int, pick }: Choices, id: string): Step => {
  const other = (state: State): State => ({ _tag: state._tag === "A" ? "B" : "A", data: state.data })
  const pause = () => pick([Effect.yieldNow, Effect.sleep(1), Effect.sleep(20)])
  const act: Step = (state, from): Transition => {
    const answer = from === undefined ? [] : [reply(id)]
    const flush: ReadonlyArray<StateMachine.ReplyTo> = state.data === 0 ? [] : [replyTo(state.data as From, "kept")]
    switch (int(14)) {
      case 0:
      case 1:
        return next(other(state), answer)
      case 2:
      case 3:
      case 4:
        return keep([postpone])
      case 5:
        return next({ ...other(state), data: from ?? 0 }, flush)
      case 6:
        return keep([perform("pause", pause()), ...answer])
      case 7:
        return next(other(state), [
          perform(
            "event",
            Effect.as(
              pause(),
              own(() => next(other(state)))
            )
          ),
          ...answer
        ])
      case 8:
        return keep([
          stateTimeout(
            int(30),
            own(() => next(other(state)))
          ),
          ...answer
        ])
      case 9:
        return keep([
          timeout(
            "t",
            int(30),
            own(() => next(other(state)))
          ),
          ...answer
        ])
      case 10:
        return keep(from === undefined ? [] : [StateMachine.fail(new Refused({ why: id }))])
      case 11:
        return keep(answer)
      case 12:
        if (chance(0.5)) return keep([perform("die", Effect.die(id))])
        throw new Error(id)
      default:
        return chance(0.5) ? stop(ExitReason.shutdown(id)) : stopReply(ExitReason.normal, answer)
    }
  }
  return act
}

const seconds = (count: number) => Effect.repeat(SeededScheduler.adjust("1 second"), { times: count })

const strike = ({ int, pick }: Choices, client: Client, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const pid = yield* GenServer.pid(client)
    if (Option.isNone(pid)) return
    switch (int(6)) {
      case 0:
        return yield* Process.kill(pid.value)
      case 1:
        return yield* Process.exit(pid.value, ExitReason.defect("signal"))
      case 2:
        return yield* Effect.asVoid(Effect.forkIn(Shutdown.shutdown(pid.value, { limit: pick([0, 10, 100]) }), scope))
      default:
        return yield* SeededScheduler.adjust(int(40))
    }
  })

const play = Effect.gen(function* () {
  const drawn = yield* choices
  const { chance, int, pick } = drawn
  const scope = yield* Scope.make()
  const machines: Array<Client> = []
  for (let i = 0; i < 1 + int(3); i++) {
    const mailbox = chance(0.3)
      ? { mailbox: { capacity: 1 + int(3), strategy: pick(["suspend", "fail", "dropping", "sliding"] as const) } }
      : {}
    machines.push(yield* Effect.provideService(start({ drain: chance(0.3), ...mailbox }), Scope.Scope, scope))
  }
  const ends = new Map<string, number>()
  const callers: Array<Fiber.Fiber<unknown, unknown>> = []
  for (let i = 0; i < 2 + int(6); i++) {
    const one = Effect.suspend(() => {
      const id = `${i}/${ends.size}`
      ends.set(id, 0)
      const sent = chance(0.7)
        ? Effect.onExit(pick(machines).call(stepOf(drawn, id), { timeout: pick([1, 10, 50, "1 second"]) }), (exit) =>
            Effect.sync(() => {
              ends.set(id, ends.get(id)! + 1)
              if (Exit.isSuccess(exit)) assert.include([id, "kept"], exit.value)
            })
          )
        : Effect.andThen(
            pick(machines).cast(stepOf(drawn, id)),
            Effect.sync(() => ends.set(id, 1))
          )
      return Effect.andThen(pick([Effect.void, Effect.yieldNow, Effect.sleep(int(30))]), Effect.exit(sent))
    })
    callers.push(yield* Effect.forkChild(Effect.repeat(one, { times: int(6) })))
  }
  for (let i = 0; i < int(8); i++) {
    yield* Effect.repeat(Effect.yieldNow, { times: int(12) })
    if (chance(0.2)) pick(callers).interruptUnsafe()
    yield* strike(drawn, pick(machines), scope)
  }
  yield* seconds(5)
  const closed = yield* Effect.forkChild(Scope.close(scope, Exit.void))
  yield* seconds(15)
  yield* Fiber.join(closed)
  for (const caller of callers) assert.isDefined(caller.pollUnsafe(), "a caller waits for ever")
  const messages = yield* Kernel.messages
  assert.strictEqual(Accounting.missing(messages), 0, JSON.stringify(messages))
  for (const count of Object.values(messages)) assert.isAtLeast(count, 0, JSON.stringify(messages))
  return messages
})

it.effect("no message vanishes in any order, whatever ends the machines", () =>
  Effect.gen(function* () {
    const total = { failed: 0, handled: 0, abandoned: 0 }
    const counted = Effect.map(play, (messages) => {
      for (const fate of ["failed", "handled", "abandoned"] as const) total[fate] += messages[fate]
    })
    yield* SeededScheduler.explore(inKernel(counted), { seeds: seeds(150) })
    // Each kind of event in the script must have happened.
    if (process.env["OTP_SEED"] === undefined) for (const count of Object.values(total)) assert.isAbove(count, 0)
  })
)

/** Events that record where they were handled, and do once what was drawn for them. */
const scripted = ({ chance, int, pick }: Choices, log: Array<string>) => {
  const results: Record<string, Own> = {}
  let count = 0
  const numbered = (depth: number): Own & { readonly note: string } => {
    const note = String(++count)
    const more = depth > 0 ? int(3) : 0
    const actions = Array.from({ length: more }, () => {
      const event = numbered(depth - 1)
      // All times differ, because the order of timers that are due together is not promised.
      const delay = pick([0, int(1_000_000), int(1_000_000)])
      const timer = pick([StateMachine.stateTimer, StateMachine.eventTimer, "a", "b"] as const)
      return pick([
        () => StateMachine.insert(event),
        () => StateMachine.timeout(timer, delay, event),
        () => StateMachine.timeout(timer, delay, event),
        () => StateMachine.update(timer, event),
        () => StateMachine.cancel(timer),
        () => {
          results[event.note] = event
          return perform(event.note, Effect.as(pick([Effect.void, Effect.yieldNow]), event))
        }
      ])()
    })
    const postpones = chance(0.3)
    const way = pick(["keep", "change", "repeat"])
    const step: Step = (state): Transition => {
      log.push(`${state._tag} ${note}`)
      if (state._tag === "A" && postpones) return keep([postpone])
      if (way === "keep") return keep(actions)
      if (way === "repeat") return StateMachine.repeat(state, actions)
      return next({ _tag: state._tag === "A" ? "B" : "A", data: 0 }, actions)
    }
    return { _tag: "Own", step, note }
  }
  const events = Array.from({ length: 1 + int(8) }, () => ({
    ...numbered(3),
    wait: chance(0.4) ? int(400_000) : 0
  }))
  return { events, results }
}

it.effect("a process does what a simulation of it does, timers included", () =>
  SeededScheduler.explore(
    inKernel(
      Effect.gen(function* () {
        const log: Array<string> = []
        const { events, results } = scripted(yield* choices, log)
        const onEnter = (state: State, previous: State) => {
          log.push(`${previous._tag} to ${state._tag}`)
          return keep([])
        }
        const machine = definition({ onEnter })
        let simulated = StateMachine.simulate(machine, { from: { _tag: "A", data: 0 }, events: [], results })
        const inputs = [...events, { step: (() => keep()) as Step, wait: 2_000_000 }]
        for (const { step, wait } of inputs) {
          simulated = StateMachine.step(simulated, StateMachine.message("cast", step))
          simulated = StateMachine.step(simulated, StateMachine.elapse(wait))
        }
        const expected = log.splice(0)
        const client = yield* machine.start()
        for (const { step, wait } of inputs) {
          yield* client.cast(step)
          yield* settle
          yield* SeededScheduler.adjust(wait)
          yield* settle
        }
        assert.deepStrictEqual(log, expected)
        assert.deepStrictEqual(yield* client.call(get), simulated.state)
        assert.strictEqual((yield* Kernel.counts).timers, simulated.timers.length)
      })
    ),
    { seeds: seeds(150) }
  )
)

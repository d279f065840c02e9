/** Calls that would wait for themselves: each real cycle is reported, and nothing else. */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { Process } from "effect-otp/kernel"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import { beside, type Client, type Context, ended, failure, get, start } from "./puppet.ts"

const named = (label: string) => start({ init: Effect.as(Process.setLabel(label), 0) })

/** A turn that waits until the other server is in its turn, too. Then it calls, and answers with the result. */
const crossing = (to: Client, mine: Deferred.Deferred<void>, theirs: Deferred.Deferred<void>) => (state: number) =>
  Effect.gen(function* () {
    yield* Deferred.succeed(mine, undefined)
    yield* Deferred.await(theirs)
    const exit = yield* Effect.exit(to.call(get))
    return GenServer.reply(Exit.isSuccess(exit) ? exit.value : yield* failure(exit), state)
  })

const cycleOf = (...path: ReadonlyArray<string>) => ({ reason: { _tag: "CallCycle", path }, started: "no" })

describe("servers that call each other at once", () => {
  kernelTest(
    "one of two gets a CallCycle, and the other is answered",
    Effect.gen(function* () {
      const [a, b] = [yield* named("a"), yield* named("b")]
      const [atA, atB] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const inA = yield* Effect.forkChild(a.call(crossing(b, atA, atB)))
      const inB = yield* Effect.forkChild(b.call(crossing(a, atB, atA)))
      const seen = [yield* Fiber.join(inA), yield* Fiber.join(inB)]
      const fromA = [cycleOf("a", "b", "a"), 0]
      assert.deepInclude([fromA, [0, cycleOf("b", "a", "b")]], seen)
    }),
    500
  )

  kernelTest(
    "one of three gets a CallCycle, and the others are answered",
    Effect.gen(function* () {
      const servers = [yield* named("0"), yield* named("1"), yield* named("2")] as const
      const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const next = (at: number) => (at + 1) % 3
      const calls = yield* Effect.forEach([0, 1, 2], (at) =>
        Effect.forkChild(servers[at]!.call(crossing(servers[next(at)]!, gates[at]!, gates[next(at)]!)))
      )
      const seen = yield* Effect.forEach(calls, Fiber.join)
      const found = seen.findIndex((answer) => answer !== 0)
      const path = [found, next(found), next(next(found)), found].map(String)
      assert.deepStrictEqual(
        seen,
        [0, 1, 2].map((at) => (at === found ? cycleOf(...path) : 0))
      )
    }),
    200
  )
})

describe("an answer that is left for later", () => {
  /** Keeps the call, gives it to a helper, and goes on to the next turn. */
  const deferring =
    (helper: (from: NonNullable<Context["from"]>) => Effect.Effect<void>) =>
    (state: number, { from }: Context) =>
      Effect.as(Effect.forkDetach(helper(from!)), GenServer.noReply<number, string>(state))

  kernelTest(
    "makes the caller no longer wait for the server: the server can call it",
    Effect.gen(function* () {
      const [asker, server] = [yield* named("asker"), yield* named("server")]
      const gate = yield* Deferred.make<void>()
      const helper = deferring((from) => Effect.andThen(Deferred.await(gate), from.succeed("late")))
      const asking = yield* beside(
        asker.call((state) => Effect.map(Effect.orDie(server.call(helper)), (answer) => GenServer.reply(answer, state)))
      )
      const back = yield* beside(
        server.call((state) => Effect.map(Effect.exit(asker.call(get)), (exit) => GenServer.reply(exit, state)))
      )
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(asking), Exit.succeed("late"))
      assert.deepStrictEqual(yield* ended(back), Exit.succeed(Exit.succeed(0)))
    })
  )

  kernelTest(
    "makes the caller no longer wait for a turn that has given the answer to a helper and calls it",
    Effect.gen(function* () {
      const [asker, server] = [yield* named("asker"), yield* named("server")]
      const gate = yield* Deferred.make<void>()
      const step = (state: number, { from }: Context) =>
        Effect.gen(function* () {
          yield* Effect.forkDetach(Effect.andThen(Deferred.await(gate), from!.succeed("early")))
          const exit = yield* Effect.exit(asker.call(get))
          assert.deepStrictEqual(exit, Exit.succeed(0))
          return GenServer.noReply<number, string>(state + 1)
        })
      const asking = yield* beside(
        asker.call((state) => Effect.map(Effect.orDie(server.call(step)), (answer) => GenServer.reply(answer, state)))
      )
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(asking), Exit.succeed("early"))
      yield* settle
      assert.strictEqual(yield* server.call(get), 1)
    })
  )
})

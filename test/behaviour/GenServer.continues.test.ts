/** Servers that continue for ever, and answers after the caller has left. */
import { assert, describe } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Process, Shutdown } from "effect-otp/kernel"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import { pidOf, set, start } from "./puppet.ts"

/** A server that continues for ever, counts how often, and records the arguments of `terminate`. */
const endless = (drain: boolean) =>
  Effect.gen(function* () {
    const ends: Array<ExitReason.ExitReason> = []
    const puppet = yield* start({
      drain,
      // A turn that waits lets other fibers run.
      continue: (_, state) => Effect.as(Effect.yieldNow, GenServer.noReply(state + 1, { continue: "again" })),
      terminate: (reason) => Effect.sync(() => void ends.push(reason))
    })
    yield* puppet.cast(() => GenServer.noReply(0, { continue: "again" }))
    return { ends, pid: yield* pidOf(puppet) }
  })

describe("a server that always continues", () => {
  for (const drain of [false, true]) {
    kernelTest(
      `is stopped in good order${drain ? ", when it drains, too" : ""}`,
      Effect.gen(function* () {
        const { ends, pid } = yield* endless(drain)
        yield* Effect.repeat(Effect.yieldNow, { times: 20 })
        yield* Shutdown.shutdown(pid)
        assert.deepStrictEqual(ends, [ExitReason.shutdown()])
        assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.shutdown())
      })
    )
  }

  kernelTest(
    "runs the continue of the turn in progress before it stops",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const puppet = yield* start({
        continue: (token, state) => {
          seen.push(token)
          return GenServer.noReply(state)
        }
      })
      const pid = yield* pidOf(puppet)
      const begun = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(() =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(Deferred.await(gate)),
          Effect.as(GenServer.noReply(1, { continue: "write" }))
        )
      )
      yield* Deferred.await(begun)
      const stopped = yield* Effect.forkChild(Shutdown.shutdown(pid))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(stopped)
      assert.deepStrictEqual(seen, ["write"])
    })
  )
})

describe("an answer that nobody waits for", () => {
  const wrong = (answer: "reply" | "stopReply") =>
    Effect.gen(function* () {
      const ends: Array<number> = []
      const puppet = yield* start({ terminate: (_, state) => Effect.sync(() => void ends.push(state)) })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(set(3))
      yield* puppet.cast(() =>
        answer === "reply" ? GenServer.reply("x", 99) : GenServer.stopReply(ExitReason.normal, "x", 99)
      )
      const reason = yield* Process.awaitExit(pid)
      return { reason, ends }
    })

  for (const [answer, instead] of [
    ["reply", "noReply"],
    ["stopReply", "stop"]
  ] as const) {
    kernelTest(
      `is a crash that says so, with the state before: ${answer} to a cast`,
      Effect.gen(function* () {
        const { ends, reason } = yield* wrong(answer)
        assert.deepStrictEqual(ends, [3])
        assert.strictEqual(reason._tag, "Crash")
        const error = reason._tag === "Crash" ? Cause.squash(reason.cause) : undefined
        assert.strictEqual(
          String(error),
          `RangeError: test/Puppet: the handler of "cast" used GenServer.${answer}, but nobody waits for an answer. ` +
            `Use GenServer.${instead}`
        )
      })
    )
  }
})

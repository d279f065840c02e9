/**
 * Values that throw wherever they are read. A server may keep them, refuse them or crash because of them, and loses
 * nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, Mailbox, Name } from "effect-otp"
import { TestKernel } from "effect-otp/testing"
import { hostile } from "../fixtures/hostile.ts"

class Keeper extends GenServer.Service<Keeper>()("hostile/Keeper", [
  Rpc.make("kind", { success: Schema.String }),
  Rpc.make("fail", { success: Schema.String, error: Schema.Unknown }),
  Rpc.make("odd", { success: Schema.String })
]) {}

const keeper = (value: unknown) =>
  Keeper.define({
    init: () => Effect.succeed(value),
    handlers: {
      kind: (_, state) => GenServer.reply(typeof state, state),
      fail: () => Effect.fail(value),
      odd: () => value as Effect.Effect<never>
    }
  }).layer()

const inKernel = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, lines: Array<string> = []) => {
  const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
  return program.pipe(Effect.scoped, Effect.provide(Layer.merge(TestKernel.layer, Logger.layer([logger]))))
}

describe("a hostile value", () => {
  it.effect.each(hostile)("%s can be a state", ([, make]) => {
    const value = make()
    const program = Effect.gen(function* () {
      assert.strictEqual(yield* (yield* Keeper).kind(), typeof value)
    })
    return inKernel(Effect.provide(program, keeper(value)))
  })

  it.effect.each(hostile)(
    "%s can be a typed failure, also for a call that waits while the server is down",
    ([, make]) => {
      const value = make()
      const program = Effect.gen(function* () {
        const exit = yield* Effect.exit((yield* Keeper).fail(undefined, { whenDown: "wait" }))
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(yield* (yield* Keeper).kind(), typeof value)
      })
      return inKernel(Effect.provide(program, keeper(value)))
    }
  )

  it.effect.each(hostile)("%s is no answer: the server crashes, and its caller learns it", ([, make]) => {
    const program = Effect.gen(function* () {
      const exit = yield* Effect.exit((yield* Keeper).odd())
      assert.isTrue(Exit.isFailure(exit))
    })
    return inKernel(Effect.provide(program, keeper(make())))
  })

  it.each(hostile)("%s is refused where an option has to be another with a RangeError", (_, make) => {
    const value = make()
    const places: ReadonlyArray<() => unknown> = [
      () => Name.make(value as string),
      () => Mailbox.bound({ capacity: 1, strategy: value as "fail" })
    ]
    for (const place of places) assert.throws(place, RangeError)
  })

  it.effect.each(hostile)("%s thrown by a Schema refuses the payload, and names server and message", ([, make]) => {
    const value = make()
    class Strict extends GenServer.Service<Strict>()("hostile/Strict", [
      Rpc.make("check", {
        payload: Schema.String.check(
          Schema.makeFilter(() => {
            throw value
          })
        ),
        success: Schema.String
      })
    ]) {}
    const layer = Strict.define({
      init: () => Effect.succeed(0),
      handlers: { check: (_, state) => GenServer.reply("checked", state) }
    }).layer()
    const program = Effect.gen(function* () {
      const strict = yield* Strict
      const exit = yield* Effect.sandbox(strict.check("text")).pipe(Effect.flip)
      const defect = Cause.squash(exit)
      assert.instanceOf(defect, RangeError)
      assert.match(defect.message, /^hostile\/Strict: check: payload/)
    })
    return inKernel(Effect.provide(program, layer))
  })
})

describe("a caller whose fiber has an observer that throws", () => {
  it.effect.each(hostile)("%s has its answer, and the server goes on", ([, make]) => {
    const value = make()
    const lines: Array<string> = []
    const program = Effect.gen(function* () {
      const server = yield* Keeper
      const pid = yield* GenServer.pid(server)
      // More answers than may resume one another in one step.
      for (let index = 0; index < 40; index++) {
        const fiber = yield* Effect.forkDetach(server.kind())
        fiber.addObserver(() => {
          throw value
        })
      }
      yield* TestKernel.quiet
      assert.strictEqual(yield* server.kind(), "number")
      assert.deepStrictEqual(yield* GenServer.pid(server), pid)
      const texts = lines.filter((line) => line.startsWith("A caller of hostile/Keeper threw when it got its answer: "))
      // As many as the rate limit allows.
      assert.strictEqual(texts.length, 10)
    })
    return inKernel(Effect.provide(program, keeper(1)), lines)
  })
})

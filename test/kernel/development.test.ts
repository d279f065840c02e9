/** Messages and states are frozen in development, and only there. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { ExitReason, GenServer, Kernel, Process, Sys } from "effect-otp"
import { TestKernel } from "effect-otp/testing"

const list = Schema.mutable(Schema.Array(Schema.Finite))

class Basket extends GenServer.Service<Basket>()("test/Basket", [
  Rpc.make("replace", { payload: { items: list }, success: list }),
  Rpc.make("push", { payload: { item: Schema.Finite }, success: list }),
  Rpc.make("empty", { payload: { items: list }, success: list })
]) {
  static readonly definition = this.define({
    init: (items: Array<number>) => Effect.succeed({ items }),
    handlers: {
      replace: ({ items }) => {
        const own = [...items]
        return GenServer.reply(own, { items: own })
      },
      push: ({ item }, state) => {
        state.items.push(item)
        return GenServer.reply(state.items, state)
      },
      empty: ({ items }, state) => {
        items.length = 0
        return GenServer.reply(items, state)
      }
    }
  })
}

const quiet = Logger.layer([])

/** The error a call has crashed its server with. */
const crashOf = (exit: Exit.Exit<unknown, GenServer.CallError>): Error => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  if (!(error instanceof GenServer.CallError) || error.reason._tag !== "ServerDown") return assert.fail("no crash")
  const { reason } = error.reason
  const defect = reason._tag === "Crash" ? Cause.squash(reason.cause) : undefined
  return defect instanceof Error ? defect : assert.fail(`no crash, but ${ExitReason.format(reason)}`)
}

describe("Kernel.layerDevelopment", () => {
  const test = <A, E>(title: string, program: Effect.Effect<A, E>) =>
    it.effect(title, () => program.pipe(Effect.provide(Layer.merge(Kernel.layerDevelopment, quiet))))

  test(
    "a handler that changes its state in place crashes, and the report says why",
    Effect.gen(function* () {
      const basket = yield* Basket.definition.start([1])
      const error = crashOf(yield* Effect.exit(basket.push({ item: 2 })))
      assert.instanceOf(error, TypeError)
      assert.include(error.message, "object is not extensible")
      assert.include(error.message, "frozen in development")
      assert.include(error.stack, "development.test.ts")
      assert.instanceOf(error.cause, TypeError)
    }).pipe(Effect.scoped)
  )

  test(
    "whatever the name of the changed property; an error with similar words is left as it is",
    Effect.gen(function* () {
      class Shop extends GenServer.Service<Shop>()("test/Shop", [
        Rpc.make("change"),
        Rpc.make("read", { payload: { shop: Schema.Unknown } })
      ]) {}
      const { start } = Shop.define({
        init: () => Effect.succeed({ $: 1 }),
        handlers: {
          change: (_, state) => {
            state.$ = 2
            return GenServer.reply(undefined, state)
          },
          read: ({ shop }, state) =>
            GenServer.reply((shop as { readonly at: { readonly readOnly: void } }).at.readOnly, state)
        }
      })
      const changed = crashOf(yield* Effect.exit((yield* start()).change()))
      assert.match(changed.message, /'\$' of object '#<Object>': messages and states are frozen in development/)
      assert.strictEqual(changed.stack?.split("\n")[0], `TypeError: ${changed.message}`)
      const alike = crashOf(yield* Effect.exit((yield* start()).read({ shop: {} })))
      assert.strictEqual(alike.message, "Cannot read properties of undefined (reading 'readOnly')")
    }).pipe(Effect.scoped)
  )

  test(
    "the same holds for the state after a turn, and for the one that replaceState gives",
    Effect.gen(function* () {
      const basket = yield* Basket.definition.start([])
      const mine = [1, 2]
      const answer = yield* basket.replace({ items: mine })
      assert.ok(Object.isFrozen(answer))
      assert.instanceOf(crashOf(yield* Effect.exit(basket.push({ item: 2 }))), TypeError)
      const other = yield* Basket.definition.start([])
      const state = yield* Sys.replaceState(other, (state) => ({ items: [...state.items, 1] }), {
        schema: Schema.Struct({ items: list })
      })
      assert.ok(Object.isFrozen(state.items))
    }).pipe(Effect.scoped)
  )

  test(
    "the same holds while there are observers",
    Effect.gen(function* () {
      const basket = yield* Basket.definition.start([])
      yield* Sys.setStatistics(basket, true)
      yield* basket.replace({ items: [1] })
      assert.instanceOf(crashOf(yield* Effect.exit(basket.push({ item: 2 }))), TypeError)
    }).pipe(Effect.scoped)
  )

  test(
    "neither receiver nor sender can change a message",
    Effect.gen(function* () {
      const basket = yield* Basket.definition.start([])
      const error = crashOf(yield* Effect.exit(basket.empty({ items: [1] })))
      assert.include(error.message, "frozen in development")
      const got = yield* Deferred.make<Array<number>>()
      const pid = yield* Process.spawn((inbox: Process.Inbox<Array<number>>) =>
        Effect.flatMap(inbox.take, (message) => Deferred.succeed(got, message as Array<number>))
      )
      const sent = [1]
      yield* Process.send(pid, sent)
      assert.strictEqual(yield* Deferred.await(got), sent)
      assert.throws(() => sent.push(2), TypeError)
    }).pipe(Effect.scoped)
  )

  test(
    "handles, pids, fibers and effects in a message are not frozen",
    Effect.gen(function* () {
      const basket = yield* Basket.definition.start([])
      const fiber = yield* Effect.forkChild(Effect.never)
      const pid = yield* Process.spawn(Effect.never)
      const got = yield* Deferred.make<unknown>()
      const to = yield* Process.spawn((inbox: Process.Inbox<object>) =>
        Effect.flatMap(inbox.take, (message) => Deferred.succeed(got, message))
      )
      const message = { basket, fiber, pid, got, effect: Effect.void }
      yield* Process.send(to, message)
      yield* Deferred.await(got)
      assert.ok(Object.isFrozen(message))
      assert.ok([basket, fiber, pid, got, message.effect].every((value) => !Object.isFrozen(value)))
      assert.deepStrictEqual(yield* basket.replace({ items: [1] }), [1])
      yield* Process.kill(pid)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.scoped)
  )
})

describe("otherwise", () => {
  const program = Effect.gen(function* () {
    const basket = yield* Basket.definition.start([1])
    const mine = [3]
    yield* basket.replace({ items: mine })
    return [yield* basket.push({ item: 2 }), Object.isFrozen(mine)]
  }).pipe(Effect.scoped)

  it.effect("nothing is frozen in the default kernel and in Kernel.layer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* program, [[3, 2], false])
      assert.deepStrictEqual(yield* Effect.provide(program, Kernel.layer), [[3, 2], false])
    })
  )

  it.effect("TestKernel.layer freezes, TestKernel.layerUnfrozen does not", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.provide(program, TestKernel.layerUnfrozen), [[3, 2], false])
      const frozen = program.pipe(Effect.provide(Layer.merge(TestKernel.layer, quiet)))
      assert.instanceOf(crashOf(yield* Effect.exit(frozen)), TypeError)
    })
  )
})

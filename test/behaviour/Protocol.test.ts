import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, StateMachine } from "effect-otp/behaviour"
import { Process } from "effect-otp/kernel"
import { DynamicSupervisor } from "effect-otp/supervision"
import { kernelTest } from "../fixtures/kernel.ts"
import { fates } from "./puppet.ts"

class Point extends Schema.Class<Point>("test/Point")({ x: Schema.Finite, y: Schema.Finite }) {
  get sum() {
    return this.x + this.y
  }
}
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

class Shapes extends GenServer.Service<Shapes>()("test/Shapes", [
  Rpc.make("add", { payload: { by: Positive }, success: Schema.Finite }),
  Rpc.make("show", { payload: { point: Point }, success: Schema.String }),
  Rpc.make("greet", {
    payload: { name: Schema.String.pipe(Schema.withConstructorDefault(Effect.succeed("nobody"))) },
    success: Schema.String
  }),
  Rpc.make("move", { payload: Point, success: Schema.Finite }),
  Rpc.make("double", { payload: Positive, success: Schema.Finite }),
  Rpc.make("total", { success: Schema.Finite }),
  GenServer.cast("put", { payload: { value: Positive } }),
  GenServer.cast("reset")
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed(0),
    handlers: {
      add: ({ by }, total: number) => GenServer.reply(total + by, total + by),
      show: ({ point }, total) => GenServer.reply(point instanceof Point ? `${point.sum}` : "no class", total),
      greet: ({ name }, total) => GenServer.reply(`hello ${name}`, total),
      move: (point, total) => GenServer.reply(point instanceof Point ? point.sum : -1, total),
      double: (by, total) => GenServer.reply(by * 2, total),
      total: (payload, total) => GenServer.reply(payload === undefined ? total : -1, total),
      put: ({ value }) => GenServer.noReply(value),
      reset: (payload, total) => GenServer.noReply(payload === undefined ? 0 : total)
    }
  })
}

const untyped = (payload: unknown) => payload as never

const messageOf = (effect: Effect.Effect<unknown, unknown>) =>
  Effect.map(Effect.flip(Effect.sandbox(effect)), (cause) => (Cause.squash(cause) as Error).message)

describe("payloads", () => {
  kernelTest(
    "are made by their Schema: defaults, classes, single values, nothing",
    Effect.gen(function* () {
      const shapes = yield* Shapes.definition.start()
      assert.strictEqual(yield* shapes.add({ by: 2 }), 2)
      assert.strictEqual(yield* shapes.show({ point: new Point({ x: 1, y: 2 }) }), "3")
      assert.strictEqual(yield* shapes.greet({}), "hello nobody")
      assert.strictEqual(yield* shapes.greet({ name: "Joe" }), "hello Joe")
      assert.strictEqual(yield* shapes.move(new Point({ x: 3, y: 4 })), 7)
      assert.strictEqual(yield* shapes.double(4), 8)
      yield* shapes.put({ value: 5 })
      assert.strictEqual(yield* shapes.total(), 5)
      assert.strictEqual(yield* shapes.total(untyped("ignored")), 5)
      yield* shapes.reset()
      assert.strictEqual(yield* shapes.total(undefined, { timeout: "1 second" }), 0)
    })
  )

  kernelTest(
    "that their Schema refuses are a defect of the caller that names server, message and field",
    Effect.gen(function* () {
      const shapes = yield* Shapes.definition.start()
      const bad: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, said: string]> = [
        [shapes.add({ by: -1 }), "add: payload.by: expected a value greater than 0, got -1"],
        [shapes.add(untyped({ by: "1" })), 'add: payload.by: expected number, got "1"'],
        [shapes.add(untyped({})), "add: payload.by: is missing"],
        [shapes.add(untyped(undefined)), "add: payload: expected object, got undefined"],
        [shapes.show(untyped({ point: { x: "1", y: 2 } })), 'show: payload.point.x: expected number, got "1"'],
        [shapes.double(0), "double: payload: expected a value greater than 0, got 0"],
        [shapes.put({ value: -5 }), "put: payload.value: expected a value greater than 0, got -5"],
        [shapes.put(untyped({})), "put: payload.value: is missing"]
      ]
      for (const [effect, said] of bad) {
        const exit = yield* Effect.exit(effect)
        assert.isTrue(Exit.hasDies(exit), String(exit))
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(defect, RangeError)
        assert.strictEqual(defect.message, `test/Shapes: ${said}`)
      }
      assert.deepStrictEqual(yield* fates, {})
      assert.strictEqual(yield* shapes.total(), 0)
    })
  )

  kernelTest(
    "that their Schema refuses name a server by its whole name, also in a cast of a handler and for a state machine",
    Effect.gen(function* () {
      class Lamp extends StateMachine.Service<Lamp>()("test/Lamp", [
        Rpc.make("dim", { payload: { to: Positive }, success: Schema.Void })
      ]) {}
      const lamp = Lamp.define({
        init: () => Effect.succeed({ _tag: "On" as const }),
        states: { On: { dim: () => StateMachine.keep([StateMachine.reply(undefined)]) } }
      })
      class Lamps extends DynamicSupervisor.Service<Lamps>()("test/Lamps", { child: lamp }) {}
      class Caller extends GenServer.Service<Caller>()("test/Caller", [
        GenServer.cast("put", { payload: { value: Schema.Finite } })
      ]) {}
      const wrong = yield* Effect.gen(function* () {
        const lamps = yield* Lamps
        const hall = yield* lamps.startChild("hall")
        return yield* messageOf(hall.dim({ to: -1 }))
      }).pipe(Effect.provide(Lamps.layer))
      assert.strictEqual(wrong, "test/Lamp(hall): dim: payload.to: expected a value greater than 0, got -1")

      const shapes = yield* Shapes.definition.start()
      const caller = yield* Caller.define({
        init: () => Effect.succeed(0),
        handlers: {
          put: ({ value }, state, context) => {
            context.cast(shapes, "put", { value })
            return GenServer.noReply(state)
          }
        }
      }).start()
      const pid = Option.getOrThrow(yield* GenServer.pid(caller))
      yield* caller.put({ value: -1 })
      const reason = yield* Process.awaitExit(pid)
      const defect = reason._tag === "Crash" ? Cause.squash(reason.cause) : undefined
      assert.instanceOf(defect, RangeError)
      assert.strictEqual(defect.message, "test/Shapes: put: payload.value: expected a value greater than 0, got -1")
    })
  )

  kernelTest(
    "are made when the effect runs, and again at each run",
    Effect.gen(function* () {
      const shapes = yield* Shapes.definition.start()
      const add = shapes.add({ by: 2 })
      assert.deepStrictEqual([yield* add, yield* add, yield* add], [2, 4, 6])
    })
  )
})

describe("clients", () => {
  kernelTest(
    "can be destructured",
    Effect.gen(function* () {
      const { add, put, total } = yield* Shapes.definition.start()
      yield* put({ value: 1 })
      yield* add({ by: 1 })
      assert.strictEqual(yield* total(), 2)
    })
  )

  kernelTest(
    "come from any definition of the service, such as a test double",
    Effect.gen(function* () {
      const double = Shapes.define({
        init: () => Effect.succeed(0),
        handlers: {
          add: (_, state: number) => GenServer.reply(0, state),
          show: (_, state) => GenServer.reply("", state),
          greet: (_, state) => GenServer.reply("", state),
          move: (_, state) => GenServer.reply(0, state),
          double: (_, state) => GenServer.reply(0, state),
          total: (_, state) => GenServer.reply(42, state),
          put: (_, state) => GenServer.noReply(state),
          reset: (_, state) => GenServer.noReply(state)
        }
      })
      const total = Effect.flatMap(Shapes, (shapes) => shapes.total())
      assert.strictEqual(yield* Effect.provide(total, double.layer()), 42)
    })
  )
})

describe("protocols", () => {
  const service =
    (...messages: ReadonlyArray<Rpc.Any>) =>
    () =>
      GenServer.Service<never>()("test/Bad", messages as [])

  it("that no server can have are refused where they are declared", () => {
    const stream = Rpc.make("watch", { success: Schema.Finite, stream: true })
    assert.throws(service(GenServer.cast("a"), Rpc.make("a")), RangeError, /two messages with the tag "a"/)
    assert.throws(service(GenServer.cast("then")), RangeError, /"then"/)
    assert.throws(service(GenServer.cast("__proto__")), RangeError, /"__proto__"/)
    assert.throws(service(stream), RangeError, /stream/)
  })

  it.effect("can have messages of any name", () =>
    Effect.scoped(
      Effect.gen(function* () {
        class Odd extends GenServer.Service<Odd>()("test/Odd", [
          Rpc.make("constructor", { success: Schema.Finite }),
          Rpc.make("toString", { success: Schema.String }),
          Rpc.make("hasOwnProperty", { success: Schema.Boolean })
        ]) {
          static readonly definition = this.define({
            init: () => Effect.succeed(1),
            handlers: {
              constructor: (_, n: number) => GenServer.reply(n, n),
              toString: (_, n) => GenServer.reply(`${n}`, n),
              hasOwnProperty: (_, n) => GenServer.reply(true, n)
            }
          })
        }
        const odd = yield* Odd.definition.start()
        assert.deepStrictEqual(
          [yield* odd.constructor(), yield* odd.toString(), yield* odd.hasOwnProperty()],
          [1, "1", true]
        )
      })
    )
  )
})

/**
 * A death reaches its supervisor, whatever throws: each hostile value, at each place where it is shown, compared or run
 * in a step of the kernel.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schedule, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, Events, GenServer, Process, Supervisor, Telemetry } from "effect-otp"
import { TestKernel } from "effect-otp/testing"
import { hostile } from "../fixtures/hostile.ts"

/** What a place does with the hostile value. The server is up again afterwards, and answers. */
interface Place {
  /** The `init` of the second run. Those of the first and third succeed. */
  readonly second?: (value: unknown) => Effect.Effect<never, unknown>
  /** What the message `boom` does. */
  readonly boom?: (value: unknown) => Effect.Effect<never>
  readonly formatStatus?: (value: unknown) => GenServer.Shown
  readonly terminate?: (value: unknown) => Effect.Effect<void>
  /** A finalizer that its first run registers in its scope. */
  readonly finalizer?: (value: unknown) => Effect.Effect<void>
  /** Runs before the test. */
  readonly before?: (value: unknown) => Effect.Effect<void, unknown, Scope.Scope>
  readonly logger?: (value: unknown) => Logger.Logger<unknown, void>
}

const reject = (value: unknown): Promise<never> => Promise.reject(value)

const throwing = (value: unknown) => (): never => {
  throw value
}

const allEvents = [
  Events.processExit,
  Events.processCrash,
  Events.deadLetter,
  Events.childExit,
  Events.childStart,
  Events.childRestart
] as const

const attach = (handler: () => unknown) =>
  Effect.forEach(allEvents, (event, index) => Telemetry.attach(`hostile ${index}`, event, handler))

const boom = () => Effect.die(new Error("boom"))

const places: ReadonlyArray<readonly [name: string, place: Place]> = [
  ["as the defect of a crash", { boom: (value) => Effect.die(value) }],
  ["as the typed failure of a start", { second: (value) => Effect.fail(value) }],
  ["as the defect of a start", { second: (value) => Effect.die(value) }],
  ["thrown by a telemetry handler", { before: (value) => attach(throwing(value)) }],
  ["what a telemetry handler rejects with", { before: (value) => attach(() => reject(value)) }],
  ["what a telemetry handler returns", { before: (value) => attach(() => value) }],
  [
    "thrown by a handler of the failure of handlers",
    {
      before: (value) =>
        Effect.andThen(Telemetry.attach("failures", Telemetry.handlerFailure, throwing(value)), attach(throwing(value)))
    }
  ],
  ["thrown by formatStatus", { formatStatus: (value) => throwing(value)() }],
  ["what formatStatus rejects with", { formatStatus: (value) => reject(value) as unknown as GenServer.Shown }],
  ["what formatStatus returns", { formatStatus: (value) => value as GenServer.Shown }],
  ["in what formatStatus returns", { formatStatus: (value) => ({ state: value, message: { value } }) }],
  ["thrown by the logger", { logger: (value) => Logger.make(throwing(value)) }],
  ["as the defect of terminate", { terminate: (value) => Effect.die(value) }],
  ["as the defect of a finalizer", { finalizer: (value) => Effect.die(value) }]
]

let incarnations = 0

class Fragile extends GenServer.Service<Fragile>()("hostile/Fragile", [
  Rpc.make("incarnation", { success: Schema.Number }),
  GenServer.cast("boom")
]) {}

class Neighbour extends GenServer.Service<Neighbour>()("hostile/Neighbour", [
  Rpc.make("ping", { success: Schema.String })
]) {
  static readonly layer = this.define({
    init: () => Effect.void,
    handlers: { ping: (_, state) => GenServer.reply("pong", state) }
  }).layer()
}

const defineFragile = (place: Place, value: unknown) =>
  Fragile.define({
    init: () =>
      Effect.suspend((): Effect.Effect<number, unknown, Scope.Scope> => {
        const incarnation = ++incarnations
        if (incarnation === 2 && place.second !== undefined) return place.second(value)
        if (incarnation > 1 || place.finalizer === undefined) return Effect.succeed(incarnation)
        return Effect.as(
          Effect.addFinalizer(() => place.finalizer!(value)),
          incarnation
        )
      }),
    handlers: {
      incarnation: (_, state) => GenServer.reply(state, state),
      boom: () => (place.boom ?? boom)(value)
    },
    ...(place.formatStatus === undefined ? {} : { formatStatus: () => place.formatStatus!(value) }),
    ...(place.terminate === undefined ? {} : { terminate: () => place.terminate!(value) })
  })

/** Where the server lives. */
const trees = {
  "a static child": (place: Place, value: unknown) => {
    class Tree extends Supervisor.Service<Tree>()("hostile/Tree", {
      strategy: "oneForOne",
      schedule: Schedule.spaced("10 millis"),
      children: [Supervisor.child(defineFragile(place, value).layer(), { id: "fragile" })]
    }) {}
    return Effect.gen(function* () {
      yield* crash(yield* Fragile)
    }).pipe(Effect.provide(Tree.layer))
  },
  "a child of a group": (place: Place, value: unknown) => {
    class Tree extends Supervisor.Service<Tree>()("hostile/Group", {
      strategy: "oneForAll",
      schedule: Schedule.spaced("10 millis"),
      children: [
        Supervisor.child(defineFragile(place, value).layer(), { id: "fragile" }),
        Supervisor.child(Neighbour.layer, { id: "neighbour" })
      ]
    }) {}
    return Effect.gen(function* () {
      yield* crash(yield* Fragile)
      assert.strictEqual(yield* (yield* Neighbour).ping(), "pong")
    }).pipe(Effect.provide(Tree.layer))
  },
  "a dynamic child": (place: Place, value: unknown) => {
    class Pool extends DynamicSupervisor.Service<Pool>()("hostile/Pool", {
      child: defineFragile(place, value),
      schedule: Schedule.spaced("10 millis")
    }) {}
    return Effect.gen(function* () {
      const pool = yield* Pool
      yield* crash(yield* pool.startChild("a"))
      assert.deepStrictEqual(
        (yield* pool.whichChildren).map(({ key, state }) => ({ key, state })),
        [{ key: "a", state: "running" }]
      )
      yield* pool.terminateChild("a")
    }).pipe(Effect.provide(Pool.layer))
  }
}

const crash = (fragile: Fragile["Service"]) =>
  Effect.gen(function* () {
    yield* fragile.boom()
    yield* TestKernel.quiet
    yield* TestKernel.adjust("10 millis")
    yield* TestKernel.adjust("10 millis")
    yield* TestKernel.quiet
    assert.isAbove(yield* fragile.incarnation(undefined, { whenDown: "wait", timeout: 1000 }), 1)
  })

const inKernel = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, place: Place, value: unknown) =>
  Effect.gen(function* () {
    incarnations = 0
    if (place.before !== undefined) yield* place.before(value)
    return yield* program
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(TestKernel.layer, Logger.layer(place.logger === undefined ? [] : [place.logger(value)])))
  )

for (const [name, tree] of Object.entries(trees)) {
  describe(`${name} is started anew after its crash`, () => {
    describe.each(places)("with a hostile value %s:", (_, place) => {
      it.effect.each(hostile)("%s", ([, make]) => {
        const value = make()
        return inKernel(tree(place, value) as Effect.Effect<void, unknown, Scope.Scope>, place, value)
      })
    })
  })
}

describe("a dead letter", () => {
  it.effect.each(hostile)(
    "whose handler throws %s does not fail the sender, and is announced to others",
    ([, make]) => {
      const value = make()
      const program = Effect.gen(function* () {
        yield* Telemetry.attach("bad", Events.deadLetter, throwing(value))
        let heard = 0
        yield* Telemetry.attach("good", Events.deadLetter, () => {
          heard++
        })
        const pid = yield* Process.spawn((_inbox: Process.Inbox<unknown>) => Effect.void)
        yield* Process.awaitExit(pid)
        for (let index = 0; index < 5; index++) yield* Process.send(pid, index)
        assert.strictEqual(heard, 5)
      })
      return inKernel(program, {}, value)
    }
  )

  it.effect.each(hostile)("that is %s is announced", ([, make]) => {
    const value = make()
    const program = Effect.gen(function* () {
      const emitted = yield* Telemetry.collect(Events.deadLetter)
      const pid = yield* Process.spawn((_inbox: Process.Inbox<unknown>) => Effect.void)
      yield* Process.awaitExit(pid)
      yield* Process.send(pid, value)
      assert.strictEqual((yield* emitted).length, 1)
    })
    return inKernel(program, {}, value)
  })
})

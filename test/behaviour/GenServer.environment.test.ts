import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, References, Schema, Tracer } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer } from "effect-otp/behaviour"
import { Process } from "effect-otp/kernel"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import { type Client, start, turn } from "./puppet.ts"

const Tenant = GenServer.traveling(
  Context.Reference<string>("test/environment/Tenant", { defaultValue: () => "nobody" })
)
const Private = Context.Reference<string>("test/environment/Private", { defaultValue: () => "default" })

interface Seen {
  readonly span: string | undefined
  readonly annotations: Readonly<Record<string, unknown>>
  readonly tenant: string
  readonly secret: string
}

const nothing: Seen = { span: undefined, annotations: {}, tenant: "nobody", secret: "default" }

const environment = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const span = Context.getOrUndefined(context, Tracer.ParentSpan)
  const seen: Seen = {
    span: span?._tag === "Span" ? span.name : span?._tag,
    annotations: yield* References.CurrentLogAnnotations,
    tenant: yield* Tenant,
    secret: yield* Private
  }
  return seen
})

/** Runs an effect with everything that can travel, and with one Reference that cannot. */
const within = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.provideService(Tenant, "acme"),
    Effect.provideService(Private, "secret"),
    Effect.annotateLogs({ request: 7 }),
    Effect.withSpan("caller")
  )

const travelled: Seen = { span: "caller", annotations: { request: 7 }, tenant: "acme", secret: "default" }

const look = turn(environment)

/** A server whose casts record the environment of their handler. */
const watcher = Effect.gen(function* () {
  const seen: Array<Seen> = []
  const puppet = yield* start()
  const note = turn(Effect.map(environment, (found) => void seen.push(found)))
  return { puppet, seen, note }
})

describe("what travels with a message", () => {
  kernelTest(
    "with a call: the span, log annotations and References made to travel, nothing else",
    Effect.gen(function* () {
      const puppet = yield* start()
      assert.deepStrictEqual(yield* within(puppet.call(look)), travelled)
      assert.deepStrictEqual(yield* puppet.call(look), nothing)
    })
  )

  kernelTest(
    "with a cast",
    Effect.gen(function* () {
      const { note, puppet, seen } = yield* watcher
      yield* within(puppet.cast(note))
      yield* puppet.cast(note)
      yield* settle
      assert.deepStrictEqual(seen, [travelled, nothing])
    })
  )

  kernelTest(
    "goes on with a call in a handler, and ends with the message",
    Effect.gen(function* () {
      const back = yield* start()
      const front = yield* start()
      const ask = (n: number) => Effect.map(Effect.orDie(back.call(look)), (seen) => GenServer.reply(seen, n))
      assert.deepStrictEqual(yield* within(front.call(ask)), travelled)
      assert.deepStrictEqual(yield* front.call(ask), nothing)
    })
  )

  kernelTest(
    "on through a cast of a handler, be it plain or an effect",
    Effect.gen(function* () {
      const { note, puppet, seen } = yield* watcher
      const front = yield* start()
      const plain = (n: number, { cast }: { readonly cast: (to: Client, tag: "cast", step: typeof note) => void }) => {
        cast(puppet, "cast", note)
        return GenServer.reply(0, n)
      }
      yield* within(front.call(plain))
      yield* front.call(plain)
      yield* within(
        front.call((n, { cast }) =>
          Effect.map(
            Effect.annotateLogs(
              Effect.sync(() => cast(puppet, "cast", note)),
              "more",
              true
            ),
            () => GenServer.reply(0, n)
          )
        )
      )
      yield* settle
      assert.deepStrictEqual(seen, [travelled, nothing, { ...travelled, annotations: { request: 7, more: true } }])
    })
  )

  kernelTest(
    "reaches the fibers that a handler forks, but not the messages that a timer sends later",
    Effect.gen(function* () {
      const seen: Array<Seen> = []
      const puppet = yield* start({
        info: (_, state) =>
          Effect.map(environment, (found) => {
            seen.push(found)
            return GenServer.noReply(state)
          })
      })
      yield* within(
        puppet.call((n, { sendAfter }) =>
          Effect.gen(function* () {
            const done = yield* Deferred.make<Seen>()
            yield* Effect.forkChild(Effect.flatMap(environment, (found) => Deferred.succeed(done, found)))
            seen.push(yield* Deferred.await(done))
            yield* sendAfter(0, "x")
            return GenServer.reply(0, n)
          })
        )
      )
      yield* settle
      assert.deepStrictEqual(seen, [travelled, nothing])
    })
  )

  kernelTest(
    "the process of a handler is the server",
    Effect.gen(function* () {
      const puppet = yield* start()
      assert.strictEqual(
        yield* puppet.call(turn(Process.self)),
        (yield* GenServer.pid(puppet)).pipe((found) => (found._tag === "Some" ? found.value : undefined))
      )
    })
  )
})

describe("what a server is started with", () => {
  kernelTest(
    "services and References are kept; the span is not, so it can end",
    Effect.gen(function* () {
      let inInit: Seen | undefined
      const init = Effect.as(
        Effect.tap(environment, (seen) => Effect.sync(() => void (inInit = seen))),
        0
      )
      const puppet = yield* start({ init }).pipe(
        Effect.provideService(Private, "of the starter"),
        Effect.withSpan("starter")
      )
      const kept = { ...nothing, secret: "of the starter" }
      assert.deepStrictEqual(inInit, kept)
      assert.deepStrictEqual(yield* puppet.call(look), kept)
      assert.deepStrictEqual(yield* within(puppet.call(look)), { ...travelled, secret: "of the starter" })
    })
  )

  kernelTest(
    "terminate and finalizers run in that environment",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note = Effect.map(Private, (secret) => void seen.push(secret))
      const puppet = yield* Effect.provideService(
        start({
          init: Effect.as(
            Effect.addFinalizer(() => note),
            0
          ),
          terminate: () => note
        }),
        Private,
        "kept"
      )
      yield* GenServer.terminate(puppet)
      assert.deepStrictEqual(seen, ["kept", "kept"])
    })
  )
})

describe("services of handlers", () => {
  class Greeting extends Context.Service<Greeting, { readonly hello: (name: string) => string }>()("test/Greeting") {}
  class Greeter extends GenServer.Service<Greeter>()("test/Greeter", [
    Rpc.make("greet", { payload: { name: Schema.String }, success: Schema.String })
  ]) {
    static readonly definition = this.define({
      init: () => Effect.succeed(0),
      handlers: {
        greet: Effect.fnUntraced(function* ({ name }, greeted: number) {
          return GenServer.reply((yield* Greeting).hello(name), greeted + 1)
        })
      }
    })
  }

  kernelTest(
    "come from where the server is started, not from its callers",
    Effect.gen(function* () {
      const greeter = yield* Effect.provideService(Greeter.definition.start(), Greeting, {
        hello: (name) => `hello ${name}`
      })
      const answer = yield* Effect.provideService(greeter.greet({ name: "Joe" }), Greeting, { hello: () => "wrong" })
      assert.strictEqual(answer, "hello Joe")
    })
  )
})

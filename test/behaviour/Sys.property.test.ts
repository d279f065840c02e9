/**
 * Contract line 32, under random faults: a suspended server begins nothing, messages that came meanwhile are handled in
 * order, a trace leaves nothing out, every request ends, and no message vanishes.
 *
 * Every run draws its script from its seed and plays it in the order of that seed.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Stream } from "effect"
import { GenServer, Sys } from "effect-otp/behaviour"
import { type Mailbox, Process, Shutdown } from "effect-otp/kernel"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { inKernel, settle } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"
import { type Client, pidOf, start, type Step } from "./puppet.ts"

interface Choices {
  readonly int: (below: number) => number
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

const choices: Effect.Effect<Choices> = Effect.map(Random.Random, (random) => {
  const int = (below: number) => Math.floor(random.nextDoubleUnsafe() * below)
  return { int, pick: <A>(from: ReadonlyArray<A>): A => from[int(from.length)]! }
})

const bounds: ReadonlyArray<Mailbox.Bound | undefined> = [
  undefined,
  { capacity: 1, strategy: "suspend" },
  { capacity: 2, strategy: "suspend" },
  { capacity: 2, strategy: "fail" },
  { capacity: 2, strategy: "sliding" }
]

/** A message that has begun, by its sender and its number. */
interface Begun {
  readonly sender: number
  readonly number: number
}

class Script {
  readonly begun: Array<Begun> = []
  readonly traced: Array<number> = []
  private received = 0
  private readonly choices: Choices
  private readonly client: Client

  constructor(choices: Choices, client: Client) {
    this.choices = choices
    this.client = client
  }

  private step(begun: Begun): Step {
    const isSlow = this.choices.int(3) === 0
    return (state, { from }) => {
      this.begun.push(begun)
      const next = from === undefined ? GenServer.noReply(state + 1) : GenServer.reply(state + 1, state + 1)
      return isSlow ? Effect.as(Effect.yieldNow, next) : next
    }
  }

  sender(sender: number): Effect.Effect<void> {
    const { choices, client } = this
    const send = (number: number) => {
      const step = this.step({ sender, number })
      if (choices.int(2) === 0) return client.cast(step)
      return Effect.exit(client.call(step, { timeout: choices.pick([1, "1 minute"] as const) }))
    }
    return Effect.forEach(
      Array.from({ length: 3 + choices.int(8) }, (_, number) => number),
      send,
      { discard: true }
    )
  }

  /** Looks into the server, and suspends it now and then. */
  watcher(): Effect.Effect<void> {
    const { choices, client } = this
    const pauses = (turns: number) => Effect.repeat(Effect.yieldNow, { times: turns })
    const suspension = Effect.gen({ self: this }, function* () {
      yield* Sys.suspend(client)
      const before = this.begun.length
      yield* pauses(choices.int(10))
      assert.strictEqual((yield* Sys.getStatus(client)).status, "suspended")
      assert.strictEqual(this.begun.length, before, "a suspended server has begun a message")
      yield* Sys.resume(client)
    })
    const looks = [
      suspension,
      suspension,
      Sys.getState(client),
      Sys.setStatistics(client, choices.int(2) === 0),
      Sys.statistics(client),
      Effect.timeoutOption(Stream.runDrain(Sys.trace(client, { capacity: 2 })), 1)
    ]
    const look = Effect.suspend((): Effect.Effect<unknown, unknown> => choices.pick(looks))
    // The server may have ended. Then every request says so.
    return Effect.ignore(Effect.repeat(look, { times: 1 + choices.int(6) }))
  }

  trace(): Effect.Effect<void> {
    const events = Stream.runForEach(Sys.trace(this.client, { capacity: 10_000 }), (event) =>
      Effect.sync(() => {
        assert.strictEqual(event.index, this.traced.length)
        this.traced.push(event.index)
        if (event._tag === "Received") this.received++
      })
    )
    return Effect.ignore(events)
  }

  fault(): Effect.Effect<unknown, unknown> {
    const { choices, client } = this
    const pid = Effect.orDie(pidOf(client))
    const faults: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      Effect.flatMap(pid, Process.kill),
      Effect.flatMap(pid, (pid) => Shutdown.shutdown(pid)),
      GenServer.terminate(client)
    ]
    return Effect.andThen(Effect.repeat(Effect.yieldNow, { times: choices.int(20) }), choices.pick(faults))
  }

  check(isWhole: boolean): void {
    for (const sender of [0, 1, 2]) {
      const numbers = this.begun.flatMap((begun) => (begun.sender === sender ? [begun.number] : []))
      assert.deepStrictEqual(
        numbers,
        numbers.toSorted((a, b) => a - b)
      )
    }
    if (isWhole) assert.strictEqual(this.received, this.begun.length)
  }
}

const play = (isFaulty: boolean) =>
  Effect.gen(function* () {
    const drawn = yield* choices
    const client = yield* start({ mailbox: drawn.pick(bounds), drain: drawn.int(2) === 0 } as Parameters<
      typeof start
    >[0])
    const script = new Script(drawn, client)
    const tracing = yield* Effect.forkChild(script.trace(), { startImmediately: true })
    yield* settle
    const senders = yield* Effect.forkChild(
      Effect.all([script.sender(0), script.sender(1), script.sender(2)], { concurrency: 3, discard: true })
    )
    const watching = yield* Effect.forkChild(script.watcher())
    const fault = yield* Effect.forkChild(isFaulty ? Effect.exit(script.fault()) : Effect.void)
    // Time passes until everything has ended: calls time out, traces close.
    const done = Effect.all([Fiber.join(senders), Fiber.join(watching), Fiber.join(fault)], { concurrency: 3 })
    const running = yield* Effect.forkChild(done)
    while (running.pollUnsafe() === undefined) {
      yield* settle
      yield* SeededScheduler.adjust(1)
    }
    assert.ok(Exit.isSuccess(running.pollUnsafe()!))
    if (!isFaulty) {
      yield* Sys.getState(client)
      yield* GenServer.terminate(client)
    }
    yield* Fiber.join(tracing)
    script.check(!isFaulty)
  })

it.effect("a server with observers goes on as usual", () =>
  SeededScheduler.explore(inKernel(Effect.scoped(play(false))), { seeds: seeds(300) })
)

it.effect("a server with observers ends as usual", () =>
  SeededScheduler.explore(inKernel(Effect.scoped(play(true))), { seeds: seeds(300) })
)

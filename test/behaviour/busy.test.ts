/** Processes that always have a next message still leave timers and I/O their turn. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Scheduler, Schema, Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { Agent, GenServer, Kernel, Process, StateMachine, Task } from "effect-otp"
import { slices } from "../../src/kernel/shared/runQueue.ts"

/** The number of turns of all servers. */
let turns = 0
const turn = Effect.sync(() => void turns++)

// ---- what is busy -------------------------------------------------------------------------------------------------

class Busy extends GenServer.Service<Busy>()("test/Busy", [
  GenServer.cast("go", { payload: Schema.Number }),
  Rpc.make("ask", { success: Schema.Number })
]) {}

type Client = (typeof Busy)["Service"]

const clients: Array<Client> = []
const ask = (_: unknown, index: number) => GenServer.reply(index, index)
const init = (index: number) => Effect.succeed(index)

const castsToItself = Busy.define({
  init,
  handlers: {
    ask,
    go: (x, index, context) => {
      turns++
      context.cast(clients[index]!, "go", x)
      return GenServer.noReply(index)
    }
  }
})

const castsInAnEffect = Busy.define({
  init,
  handlers: {
    ask,
    go: (x, index) => Effect.andThen(turn, Effect.as(clients[index]!.go(x), GenServer.noReply(index)))
  }
})

const continues = Busy.define({
  init,
  handlers: { ask, go: (_, index) => GenServer.noReply(index, { continue: 1 }) },
  continue: (_: number, index) => {
    turns++
    return GenServer.noReply(index, { continue: 1 })
  }
})

/** Its handler takes this many milliseconds of processor time. */
const takes = (millis: number) =>
  Busy.define({
    init,
    handlers: {
      ask,
      go: (_, index) => {
        turns++
        const end = performance.now() + millis
        while (performance.now() < end);
        return GenServer.noReply(index)
      }
    }
  })

/** Every server with an even number calls the next one for ever. */
const callsItsPartner = Busy.define({
  init,
  handlers: {
    ask,
    go: (_, index) => {
      if (index % 2 === 1) return GenServer.noReply(index)
      const call = clients[index + 1]!.ask(undefined, { timeout: "1 minute" })
      return Effect.as(Effect.orDie(Effect.forever(Effect.andThen(call, turn))), GenServer.noReply(index))
    }
  }
})

const servers = (definition: typeof castsToItself) => (count: number) =>
  Effect.gen(function* () {
    clients.length = 0
    for (let i = 0; i < count; i++) clients.push(yield* definition.start(i))
    for (const client of clients) yield* client.go(1)
  })

class Wheel extends StateMachine.Service<Wheel>()("test/Wheel", [StateMachine.cast("spin")]) {
  static readonly definition = this.define({
    init: () => Effect.succeed({ _tag: "Spinning" as const }),
    states: {
      Spinning: {
        spin: () => {
          turns++
          return StateMachine.keep([StateMachine.insert(StateMachine.message("spin"))])
        }
      }
    }
  })
}

const machines = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Effect.flatMap(Wheel.definition.start(), (wheel) => wheel.spin())
  })

const agents = (count: number) =>
  Effect.gen(function* () {
    const all = yield* Effect.replicateEffect(Agent.start(Effect.succeed(0)), count)
    for (const agent of all) {
      const again: Effect.Effect<void> = Agent.castEffect(agent, (n) => Effect.as(Effect.andThen(turn, again), n + 1))
      yield* again
    }
  })

const plain = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) {
      yield* Process.spawn((inbox: Process.Inbox<number>) =>
        Effect.forever(Effect.andThen(Process.send(inbox.pid, 1), Effect.andThen(inbox.take, turn)))
      )
    }
  })

const streams = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) {
      const tasks = Task.asyncStream(Stream.forever(Stream.make(1)), () => turn, { concurrency: 4 })
      yield* Process.spawn(Effect.orDie(Stream.runDrain(tasks)))
    }
  })

// ---- the tests ----------------------------------------------------------------------------------------------------

/** The most turns between two turns of the host, while there are at least 1,000. */
const mostTurns: Effect.Effect<number> = Effect.callback((resume) => {
  const begun = turns
  let last = turns
  let most = 0
  let left = 40
  const look = () => {
    most = Math.max(most, turns - last)
    last = turns
    if (--left > 0 || turns < begun + 1000) setImmediate(look)
    else resume(Effect.succeed(most))
  }
  setImmediate(look)
})

const quiet = Logger.layer([])

const kinds: Record<string, (count: number) => Effect.Effect<void, never, Scope.Scope>> = {
  "servers that cast to themselves": servers(castsToItself),
  "servers that cast to themselves in an effect": servers(castsInAnEffect),
  "servers that always continue": servers(continues),
  "servers that call each other": servers(callsItsPartner),
  "state machines that insert events": machines,
  "agents that cast to themselves": agents,
  "processes that send to themselves": plain,
  "streams of tasks": streams
}

describe.each([
  ["slices of the run queue", Layer.succeed(Scheduler.Scheduler, slices())],
  ["the run queue", Kernel.layerScheduler],
  ["Effect's own scheduler", Layer.empty]
] as const)("on %s", (_, scheduler) => {
  for (const [what, start] of Object.entries(kinds)) {
    it.live(`1,000 ${what} let the host have its turn`, () =>
      Effect.gen(function* () {
        // They end with their kernel, all at once.
        yield* Scope.provide(start(1000), Scope.makeUnsafe())
        // A slice of 2 ms has room for about 10,000 turns, and a round of 16 ms on Effect's own scheduler for about
        // 100,000.
        assert.isBelow(yield* mostTurns, 150_000)
      }).pipe(Effect.provide([Kernel.layer, quiet]), Effect.provide(scheduler))
    )
  }
})

describe("on Effect's own scheduler", () => {
  it.live("50,000 busy servers let the host have its turn as often as 1,000", () =>
    Effect.gen(function* () {
      yield* Scope.provide(servers(castsToItself)(50_000), Scope.makeUnsafe())
      // 128 messages for each of them would be 6.4 million.
      assert.isBelow(yield* mostTurns, 1_000_000)
    }).pipe(Effect.provide([Kernel.layer, quiet]))
  )

  it.live("servers with slow handlers let the host have its turn after a few messages", () =>
    Effect.gen(function* () {
      const slow = takes(1)
      yield* Scope.provide(
        Effect.gen(function* () {
          yield* servers(slow)(20)
          for (const client of clients) for (let i = 0; i < 100; i++) yield* client.go(1)
        }),
        Scope.makeUnsafe()
      )
      // All 2,000 waiting messages take two seconds.
      assert.isBelow(yield* mostTurns, 100)
    }).pipe(Effect.provide([Kernel.layer, quiet]))
  )

  it.live("servers keep up with senders that never wait, though a message takes longer to handle than to send", () =>
    Effect.gen(function* () {
      const slow = takes(0.01)
      let longest = 0
      for (const client of yield* Effect.replicateEffect(slow.start(0), 50)) {
        const pid = Option.getOrThrow(yield* GenServer.pid(client))
        const look = Effect.map(Process.info(pid), (info) => {
          longest = Math.max(longest, Option.getOrThrow(info).mailboxLength)
        })
        let sent = 0
        const send = Effect.andThen(
          client.go(1),
          Effect.suspend(() => (++sent % 100 === 0 ? look : Effect.void))
        )
        yield* Effect.forkScoped(Effect.forever(send, { disableYield: true }))
      }
      const begun = turns
      const handled = () => turns - begun
      while (handled() < 150_000) yield* Effect.yieldNow
      // If the server waited in line each time, 60,000 messages would wait by then.
      assert.isBelow(longest, 25_000)
    }).pipe(Effect.provide([Kernel.layer, quiet]), Effect.scoped)
  )
})

it.live.each([
  [16, "the run queue", Kernel.layerScheduler],
  [128, "Effect's own scheduler", Layer.empty]
] as const)("a server with few messages lets others have their turn after %i on %s", ([most, , scheduler]) =>
  Effect.gen(function* () {
    const order: Array<number> = []
    const pair: Array<Client> = []
    const definition = Busy.define({
      init,
      handlers: {
        ask,
        go: (x, index, context) => {
          order.push(index)
          context.cast(pair[index]!, "go", x)
          return GenServer.noReply(index)
        }
      }
    })
    for (let i = 0; i < 2; i++) pair.push(yield* definition.start(i))
    for (const client of pair) yield* client.go(1)
    while (order.length < 1000) yield* Effect.yieldNow
    // Where the other server takes over, from the first whole share on.
    const changes = order.flatMap((index, at) => (at > 0 && order[at - 1] !== index ? [at] : []))
    const shares = changes.slice(1).map((at, n) => at - changes[n]!)
    // A share is shorter if the slice is over before.
    assert.strictEqual(Math.max(...shares), most)
  }).pipe(Effect.provide([Kernel.layer, quiet]), Effect.provide(scheduler), Effect.scoped)
)

/** Our servers, with everything that is on by default. */
import { Deferred, Duration, Effect, Exit, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer } from "effect-otp"
import { bytesEach, check, perSecond, type Arms } from "../arm.ts"

class Counter extends GenServer.Service<Counter>()("bench/Counter", [
  GenServer.cast("add", { payload: Schema.Number }),
  Rpc.make("increase", { payload: Schema.Number, success: Schema.Number }),
  Rpc.make("get", { success: Schema.Number })
]) {
  static readonly definition = this.define({
    init: (start: number) => Effect.succeed(start),
    handlers: {
      add: (by, count) => GenServer.noReply(count + by),
      increase: (by, count) => GenServer.reply(count + by, count + by),
      get: (_, count) => GenServer.reply(count, count)
    }
  })
}

const casts = (count: number) =>
  Effect.map(Counter.definition.start(0), (counter) =>
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* counter.add(1)
      yield* check("casts", yield* counter.get(undefined, { timeout: "1 minute" }), count)
    })
  )

const calls = (count: number) =>
  Effect.map(Counter.definition.start(0), (counter) =>
    Effect.gen(function* () {
      for (let i = 1; i < count; i++) yield* counter.increase(1)
      yield* check("calls", yield* counter.increase(1), count)
    })
  )

const clients = 1000

const callsOfClients = (count: number) =>
  Effect.map(Counter.definition.start(0), (counter) => {
    const each = count / clients
    const client = Effect.gen(function* () {
      for (let i = 0; i < each; i++) yield* counter.increase(1, { timeout: Duration.infinity })
    })
    const all = Effect.forEach(Array.from({ length: clients }), () => client, {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.andThen(
      all,
      Effect.flatMap(counter.get(), (total) => check("calls", total, each * clients))
    )
  })

const nodes = 1000

class Node extends GenServer.Service<Node>()("bench/Node", [GenServer.cast("hop", { payload: Schema.Number })]) {}

type NodeClient = (typeof Node)["Service"]

const ring = (next: (index: number) => NodeClient, done: Deferred.Deferred<void>) =>
  Node.define({
    init: (index: number) => Effect.succeed(index),
    handlers: {
      hop: (left, index, context) => {
        if (left === 0) Deferred.doneUnsafe(done, Exit.void)
        else context.cast(next(index), "hop", left - 1)
        return GenServer.noReply(index)
      }
    }
  })

const hops = (count: number) =>
  Effect.gen(function* () {
    const clients: Array<NodeClient> = []
    const done = yield* Deferred.make<void>()
    const definition = ring((index) => clients[(index + 1) % nodes]!, done)
    for (let i = 0; i < nodes; i++) clients.push(yield* definition.start(i))
    return Effect.andThen(clients[0]!.hop(count), Deferred.await(done))
  })

const started = (count: number) =>
  Effect.gen(function* () {
    const counters: Array<unknown> = []
    for (let i = 0; i < count; i++) counters.push(yield* Counter.definition.start(0))
    return counters
  })

const startedAndCalled = (count: number) =>
  Effect.gen(function* () {
    const counters: Array<unknown> = []
    for (let i = 0; i < count; i++) {
      const counter = yield* Counter.definition.start(0)
      yield* counter.increase(1)
      counters.push(counter)
    }
    return counters
  })

export const serverArms: Arms = {
  cast_per_s: perSecond(500_000, casts),
  cast_run_queue_per_s: perSecond(500_000, casts, { scheduler: "runQueue" }),
  call_per_s: perSecond(100_000, calls),
  call_run_queue_per_s: perSecond(100_000, calls, { scheduler: "runQueue" }),
  call_1000_clients_per_s: perSecond(100_000, callsOfClients, { warmups: 1 }),
  ring_hops_per_s: perSecond(100_000, hops, { scheduler: "runQueue" }),
  server_start_per_s: perSecond(20_000, (count) => Effect.succeed(started(count)), { repetitions: 1, warmups: 1 }),
  idle_server_bytes: bytesEach(50_000, started),
  idle_server_after_call_bytes: bytesEach(50_000, startedAndCalled)
}

/** The same work in plain Effect: the default scheduler, `Queue.offer`, a `Queue.take` loop, a `Deferred` reply. */
import { Deferred, Effect, Queue } from "effect"
import { bytesEach, check, perSecond, type Arms } from "../arm.ts"

const casts = (count: number) =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<number>()
    const done = yield* Deferred.make<number>()
    yield* Effect.forkScoped(
      Effect.gen(function* () {
        let total = 0
        while (true) {
          total += yield* Queue.take(queue)
          if (total === count) yield* Deferred.succeed(done, total)
        }
      })
    )
    return Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Queue.offer(queue, 1)
      yield* check("casts", yield* Deferred.await(done), count)
    })
  })

interface Call {
  readonly by: number
  readonly reply: Deferred.Deferred<number>
}

const counter = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<Call>()
  yield* Effect.forkScoped(
    Effect.gen(function* () {
      let total = 0
      while (true) {
        const { by, reply } = yield* Queue.take(queue)
        total += by
        yield* Deferred.succeed(reply, total)
      }
    })
  )
  return queue
})

const call = Effect.fnUntraced(function* (queue: Queue.Queue<Call>, by: number) {
  const reply = yield* Deferred.make<number>()
  yield* Queue.offer(queue, { by, reply })
  return yield* Deferred.await(reply)
})

const calls = (count: number) =>
  Effect.map(counter, (queue) =>
    Effect.gen(function* () {
      let total = 0
      for (let i = 0; i < count; i++) {
        const reply = yield* Deferred.make<number>()
        yield* Queue.offer(queue, { by: 1, reply })
        total = yield* Deferred.await(reply)
      }
      yield* check("calls", total, count)
    })
  )

const clients = 1000

const callsOfClients = (count: number) =>
  Effect.map(counter, (queue) => {
    const each = count / clients
    const client = Effect.gen(function* () {
      for (let i = 0; i < each; i++) {
        const reply = yield* Deferred.make<number>()
        yield* Queue.offer(queue, { by: 1, reply })
        yield* Deferred.await(reply)
      }
    })
    const all = Effect.forEach(Array.from({ length: clients }), () => client, {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.andThen(
      all,
      Effect.flatMap(call(queue, 0), (total) => check("calls", total, each * clients))
    )
  })

const nodes = 1000

const hops = (count: number) =>
  Effect.gen(function* () {
    const queues: Array<Queue.Queue<number>> = []
    const done = yield* Deferred.make<void>()
    for (let i = 0; i < nodes; i++) queues.push(yield* Queue.unbounded<number>())
    for (let i = 0; i < nodes; i++) {
      const own = queues[i]!
      const next = queues[(i + 1) % nodes]!
      yield* Effect.forkScoped(
        Effect.gen(function* () {
          while (true) {
            const left = yield* Queue.take(own)
            if (left === 0) yield* Deferred.succeed(done, undefined)
            else yield* Queue.offer(next, left - 1)
          }
        })
      )
    }
    yield* Effect.yieldNow
    return Effect.andThen(Queue.offer(queues[0]!, count), Deferred.await(done))
  })

/** The leanest possible server: it does nothing with its messages. */
const started = (count: number) =>
  Effect.gen(function* () {
    const queues: Array<Queue.Queue<unknown>> = []
    for (let i = 0; i < count; i++) {
      const queue = yield* Queue.unbounded<unknown>()
      queues.push(queue)
      yield* Effect.forkDetach(Effect.forever(Queue.take(queue)), { startImmediately: true })
    }
    return queues
  })

const spawned = (count: number) =>
  Effect.callback<void>((resume) => {
    let ended = 0
    const end = Effect.sync(() => {
      if (++ended === count) resume(Effect.void)
    })
    const spawnAll = Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Effect.forkDetach(end)
    })
    Effect.runFork(spawnAll)
  })

export const rawArms: Arms = {
  rawCast_per_s: perSecond(500_000, casts),
  rawCall_per_s: perSecond(100_000, calls),
  rawCall_1000_clients_per_s: perSecond(100_000, callsOfClients, { warmups: 1 }),
  rawRing_hops_per_s: perSecond(50_000, hops, { warmups: 1 }),
  rawServer_start_per_s: perSecond(20_000, (count) => Effect.succeed(started(count)), { repetitions: 1, warmups: 1 }),
  rawIdle_server_bytes: bytesEach(50_000, started),
  rawSpawn_exit_per_s: perSecond(100_000, (count) => Effect.succeed(spawned(count)), { warmups: 1 })
}

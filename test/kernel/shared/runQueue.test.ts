import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Scheduler } from "effect"
import { neverFreed } from "../../fixtures/garbage.ts"
import { hostMacrotask, makeRunQueue, type RunQueueOptions } from "../../../src/kernel/shared/runQueue.ts"

/** A queue whose macrotasks the test runs by hand. */
const manual = (options?: RunQueueOptions) => {
  const macrotasks: Array<() => void> = []
  const queue = makeRunQueue({ ...options, macrotask: (task) => void macrotasks.push(task) }).makeDispatcher()
  return { queue, macrotasks, turn: () => macrotasks.shift()!() }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

/** Numbers from 0 to below `bound`. The same seed gives the same numbers. */
const numbers = (seed: number) => {
  let state = seed * 2_654_435_761 + 1
  return (bound: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * bound)
  }
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describe("makeRunQueue", () => {
  it("gives all fibers the same dispatcher, and never runs a task inside scheduleTask", () => {
    const scheduler = makeRunQueue({ macrotask: () => {} })
    assert.strictEqual(scheduler.makeDispatcher(), scheduler.makeDispatcher())
    assert.strictEqual(scheduler.executionMode, "async")
    let ran = false
    scheduler.makeDispatcher().scheduleTask(() => void (ran = true), 0)
    assert.isFalse(ran)
  })

  it("runs tasks first in, first out, with those they schedule behind, in one macrotask", () => {
    const { macrotasks, queue, turn } = manual()
    const ran: Array<string> = []
    for (const name of ["a", "b", "c"]) {
      queue.scheduleTask(() => {
        ran.push(name)
        queue.scheduleTask(() => void ran.push(`${name}'`), 0)
      }, 0)
    }
    assert.strictEqual(macrotasks.length, 1)
    turn()
    assert.deepStrictEqual(ran, ["a", "b", "c", "a'", "b'", "c'"])
    assert.strictEqual(macrotasks.length, 0)
    queue.scheduleTask(() => void ran.push("d"), 0)
    assert.strictEqual(macrotasks.length, 1)
    turn()
    assert.strictEqual(ran.at(-1), "d")
  })

  it("runs lower priority numbers first within a round, equal ones in order, and starves none", () => {
    const { queue, turn } = manual()
    const ran: Array<string> = []
    const schedule = (name: string, priority: number) => queue.scheduleTask(() => void ran.push(name), priority)
    schedule("last", Number.POSITIVE_INFINITY)
    schedule("0a", 0)
    schedule("5a", 5)
    schedule("-1a", -1)
    schedule("0b", 0)
    queue.scheduleTask(() => schedule("-9 of the next round", -9), -2)
    schedule("5b", 5)
    schedule("-1b", -1)
    turn()
    assert.deepStrictEqual(ran, ["-1a", "-1b", "0a", "0b", "5a", "5b", "last", "-9 of the next round"])
  })

  it("has the order of Effect's own dispatcher, for any priorities and any nesting", () => {
    const run = (queue: Scheduler.SchedulerDispatcher, seed: number) => {
      const pick = numbers(seed)
      const ran: Array<string> = []
      const schedule = (name: string, depth: number): void =>
        queue.scheduleTask(
          () => {
            ran.push(name)
            if (depth < 4) for (const child of names(pick(4))) schedule(`${name}.${child}`, depth + 1)
          },
          pick(4) - 1
        )
      for (const name of names(5)) schedule(name, 0)
      queue.flush()
      return ran
    }
    let tasks = 0
    for (let seed = 0; seed < 200; seed++) {
      const expected = run(new Scheduler.MixedScheduler().makeDispatcher(), seed)
      assert.deepStrictEqual(run(manual().queue, seed), expected, `seed ${seed}`)
      tasks += expected.length
    }
    assert.isAbove(tasks, 5_000)
  })

  it("a task that throws loses no task: the error leaves the macrotask and the rest runs in the next", () => {
    const { macrotasks, queue, turn } = manual()
    const ran: Array<string> = []
    queue.scheduleTask(() => void ran.push("a"), 0)
    queue.scheduleTask(() => {
      queue.scheduleTask(() => void ran.push("nested"), 0)
      throw new Error("broken task")
    }, 0)
    queue.scheduleTask(() => void ran.push("b"), 0)
    assert.throws(turn, "broken task")
    assert.deepStrictEqual(ran, ["a"])
    assert.strictEqual(macrotasks.length, 1)
    turn()
    assert.deepStrictEqual(ran, ["a", "b", "nested"])

    queue.scheduleTask(() => {
      throw new Error("the only task")
    }, 0)
    assert.throws(turn, "the only task")
    queue.scheduleTask(() => void ran.push("c"), 0)
    turn()
    assert.strictEqual(ran.at(-1), "c")
  })

  it("Effect's own dispatcher lets the error out the same way, and forgets the rest of its round", () => {
    const macrotasks: Array<() => void> = []
    const queue = new Scheduler.MixedScheduler("async", (task) => {
      macrotasks.push(task)
      return () => {}
    }).makeDispatcher()
    let ran = false
    queue.scheduleTask(() => {
      throw new Error("broken task")
    }, 0)
    queue.scheduleTask(() => void (ran = true), 0)
    assert.throws(() => macrotasks.shift()!(), "broken task")
    for (const macrotask of macrotasks) macrotask()
    assert.isFalse(ran)
  })

  it("flush runs all tasks at once, also inside a task, and lets an error out without losing the rest", () => {
    const { macrotasks, queue, turn } = manual()
    const ran: Array<string> = []
    const add = (name: string) => queue.scheduleTask(() => void ran.push(name), 0)
    add("a")
    queue.scheduleTask(() => {
      add("c")
      queue.flush()
      ran.push("after the inner flush")
    }, 0)
    add("b")
    queue.flush()
    assert.deepStrictEqual(ran, ["a", "b", "c", "after the inner flush"])
    turn()
    assert.strictEqual(macrotasks.length, 0)

    queue.scheduleTask(() => {
      throw new Error("broken task")
    }, 0)
    add("d")
    assert.throws(() => queue.flush(), "broken task")
    turn()
    assert.strictEqual(ran.at(-1), "d")
  })

  it("lets the host have its turn when the slice is over or its tasks are used up", () => {
    const endless = (options: RunQueueOptions, taskMillis: number) => {
      const { macrotasks, queue, turn } = manual(options)
      let now = 1_000
      vi.spyOn(performance, "now").mockImplementation(() => now)
      let ran = 0
      const task = () => {
        ran++
        now += taskMillis
        queue.scheduleTask(task, 0)
      }
      queue.scheduleTask(task, 0)
      const counts = [1, 2, 3].map(() => {
        turn()
        assert.strictEqual(macrotasks.length, 1)
        return ran
      })
      vi.restoreAllMocks()
      return counts
    }
    // It looks at the clock after sixteen short tasks, and after each long one.
    assert.deepStrictEqual(endless({}, 0.125), [16, 33, 52])
    assert.deepStrictEqual(endless({}, 1), [2, 4, 6])
    assert.deepStrictEqual(endless({}, 100), [1, 2, 3])
    assert.deepStrictEqual(endless({ sliceTasks: 100 }, 0), [100, 200, 300])
  })

  it("holds no task that has run", async () => {
    const { queue } = manual()
    const payloads = names(10).map(() => {
      const payload = { used: false }
      queue.scheduleTask(() => void (payload.used = true), 0)
      return new WeakRef(payload)
    })
    queue.flush()
    assert.strictEqual(await Effect.runPromise(neverFreed(payloads)), 0)
  })

  it("runs 200,000 tasks of mixed priorities in no more than linear time", () => {
    const { queue } = manual()
    const ran = [0, 0]
    for (let i = 0; i < 200_000; i++) queue.scheduleTask(() => void ran[i % 2]!++, i % 2 === 0 ? 10 : 5)
    queue.scheduleTask(() => assert.deepStrictEqual(ran, [0, 100_000]), 7)
    queue.flush()
    assert.deepStrictEqual(ran, [100_000, 100_000])
  })
})

describe("hostMacrotask", () => {
  const order = async (macrotask: (task: () => void) => void) => {
    const ran: Array<string> = []
    await new Promise<void>((resolve) => {
      for (const name of ["a", "b"]) macrotask(() => void ran.push(name))
      macrotask(resolve)
      ran.push("now")
    })
    return ran
  }

  it("prefers setImmediate, then a message channel, then a timer", async () => {
    assert.deepStrictEqual(await order(hostMacrotask(globalThis)), ["now", "a", "b"])

    const channels: Array<{ readonly port1: { readonly close: () => void } }> = []
    class Recorded extends MessageChannel {
      constructor() {
        super()
        channels.push(this)
      }
    }
    const setTimeout = vi.fn<(task: () => void, millis: number) => unknown>(globalThis.setTimeout)
    assert.deepStrictEqual(await order(hostMacrotask({ MessageChannel: Recorded, setTimeout })), ["now", "a", "b"])
    assert.strictEqual(setTimeout.mock.calls.length, 0)
    for (const { port1 } of channels) port1.close()

    assert.deepStrictEqual(await order(hostMacrotask({ setTimeout })), ["now", "a", "b"])
    assert.strictEqual(setTimeout.mock.calls.length, 3)
  })

  it("serves a run-queue on a host without setImmediate", async () => {
    vi.stubGlobal("setImmediate", undefined)
    vi.stubGlobal("MessageChannel", undefined)
    const scheduler = makeRunQueue()
    vi.unstubAllGlobals()
    assert.strictEqual(await Effect.runPromise(pingPong(100), { scheduler }), 100)
  })
})

/** A number goes to and fro between two fibers, `rounds` times. */
const pingPong = (rounds: number) =>
  Effect.gen(function* () {
    const there = yield* Queue.unbounded<number>()
    const back = yield* Queue.unbounded<number>()
    const echo = yield* Effect.forkChild(
      Effect.forever(
        Effect.flatMap(Queue.take(there), (n) => Queue.offer(back, n + 1)),
        { disableYield: true }
      )
    )
    let n = 0
    yield* Effect.whileLoop({
      while: () => n < rounds,
      body: () => Effect.andThen(Queue.offer(there, n), Queue.take(back)),
      step: (next) => void (n = next)
    })
    yield* Fiber.interrupt(echo)
    return n
  })

describe("fibers on a run-queue", () => {
  it("take turns in the order they yielded", async () => {
    const ran: Array<string> = []
    const worker = (name: string) =>
      Effect.forEach(
        names(3),
        (step) => Effect.sync(() => ran.push(name + step)).pipe(Effect.andThen(Effect.yieldNow)),
        { discard: true }
      )
    await Effect.runPromise(Effect.forEach(["a", "b", "c"], worker, { concurrency: "unbounded" }), {
      scheduler: makeRunQueue()
    })
    assert.deepStrictEqual(ran, ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"])
  })

  it("yield after the operations the runtime allows", async () => {
    const program = Effect.gen(function* () {
      const stop = yield* Deferred.make<void>()
      const spin = yield* Effect.forkChild(Effect.forever(Effect.void, { disableYield: true }))
      yield* Effect.forkChild(Deferred.succeed(stop, undefined))
      yield* Deferred.await(stop)
      yield* Fiber.interrupt(spin)
      return "stopped"
    })
    assert.strictEqual(await Effect.runPromise(program, { scheduler: makeRunQueue() }), "stopped")
  })

  // Real time: the promise is about the host's timers.
  it("do not block the host's timers: a 1 ms timer fires during 100,000 round trips", async () => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const rounds = await Effect.runPromise(pingPong(100_000), { scheduler: makeRunQueue() })
    clearInterval(timer)
    assert.strictEqual(rounds, 100_000)
    assert.isAbove(ticks, 10)
  })
})

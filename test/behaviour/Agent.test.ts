/** Agents: what changes their state, and what state is left when something fails. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Option, pipe, Scope, Stream } from "effect"
import { Agent, DynamicSupervisor, ExitReason, GenServer, Kernel, Name, Process, Supervisor, Sys } from "effect-otp"
import { Laws } from "effect-otp/testing"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import { beside, down, ended, failure, failureOf, later, running, timedOut } from "./puppet.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

const counter = (n = 0) => Agent.start(Effect.succeed(n), { label: "counter" })
const inc = (n: number) => n + 1

describe("operations", () => {
  kernelTest(
    "#114 update, get, getAndUpdate, modify, stop",
    Effect.gen(function* () {
      const agent = yield* counter()
      yield* Agent.update(agent, inc)
      assert.strictEqual(yield* Agent.get(agent), 1)
      assert.strictEqual(yield* Agent.get(agent, (n) => n + 10), 11)
      assert.strictEqual(yield* Agent.getAndUpdate(agent, inc), 1)
      assert.strictEqual(yield* Agent.updateAndGet(agent, inc), 3)
      assert.strictEqual(yield* Agent.modify(agent, (n) => [String(n), n * 2]), "3")
      yield* Agent.set(agent, 50)
      assert.strictEqual(yield* Agent.getAndSet(agent, 60), 50)
      yield* Agent.cast(agent, inc)
      assert.strictEqual(yield* Agent.get(agent, { timeout: "1 second" }), 61)
      const pid = Option.getOrThrow(yield* GenServer.pid(agent))
      assert.strictEqual(Option.getOrThrow(yield* Process.info(pid)).label, "counter")
      yield* GenServer.terminate(agent)
      assert.deepStrictEqual((yield* failure(Agent.get(agent))).reason, { _tag: "NoProcess" })
    })
  )

  kernelTest(
    "#114 the same functions with effects",
    Effect.gen(function* () {
      const agent = yield* counter(1)
      const incEffect = (n: number) => Effect.as(Effect.yieldNow, n + 1)
      yield* Agent.updateEffect(agent, incEffect)
      assert.strictEqual(yield* Agent.updateAndGetEffect(agent, incEffect), 3)
      assert.strictEqual(yield* Agent.getAndUpdateEffect(agent, incEffect), 3)
      assert.strictEqual(yield* Agent.modifyEffect(agent, (n) => Effect.succeed([-n, n * 2] as const)), -4)
      yield* Agent.castEffect(agent, incEffect)
      assert.strictEqual(yield* Agent.get(agent), 9)
    })
  )

  kernelTest(
    "each can be used in a pipe, too",
    Effect.gen(function* () {
      const agent = yield* counter()
      yield* pipe(agent, Agent.update(inc))
      yield* pipe(agent, Agent.set(5))
      assert.strictEqual(yield* pipe(agent, Agent.getAndSet(6)), 5)
      assert.strictEqual(yield* pipe(agent, Agent.updateAndGet(inc, { timeout: 10 })), 7)
      assert.strictEqual(
        yield* pipe(
          agent,
          Agent.modifyEffect((n: number) => Effect.succeed([n, n] as const))
        ),
        7
      )
      yield* pipe(agent, Agent.cast(inc))
      assert.strictEqual(yield* Agent.get(agent), 8)
    })
  )

  kernelTest(
    "functions of many fibers run one at a time",
    Effect.gen(function* () {
      const agent = yield* counter()
      const slow = (n: number) => Effect.as(Effect.yieldNow, n + 1)
      const work = Effect.all([Agent.update(agent, inc), Agent.updateEffect(agent, slow), Agent.cast(agent, inc)])
      yield* Effect.all(
        Array.from({ length: 20 }, () => work),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(yield* Agent.get(agent), 60)
    })
  )

  kernelTest(
    "a state may be a function, an agent, or nothing",
    Effect.gen(function* () {
      const inner = yield* counter(3)
      const agent = yield* Agent.start(Effect.succeed(inner))
      assert.strictEqual(yield* Effect.flatMap(Agent.get(agent), (held) => Agent.get(held)), 3)
      const other = yield* counter(4)
      yield* Agent.set(agent, other)
      assert.strictEqual(yield* Agent.get(agent), other)
      const f = yield* Agent.start(Effect.succeed(inc))
      assert.strictEqual((yield* Agent.get(f))(1), 2)
      const none = yield* Agent.start(Effect.void)
      assert.strictEqual(yield* Agent.get(none), undefined)
    })
  )
})

describe("what fails", () => {
  kernelTest(
    "#344 a function that throws crashes the agent; its caller and the waiting callers learn it, and live",
    Effect.gen(function* () {
      const agent = yield* counter()
      const pid = Option.getOrThrow(yield* GenServer.pid(agent))
      const boom = new Error("boom")
      const throwing = (): number => {
        throw boom
      }
      const gate = yield* Deferred.make<void>()
      const holding = yield* beside(Agent.updateEffect(agent, (n) => Effect.as(Deferred.await(gate), n)))
      const crashing = yield* beside(Agent.update(agent, throwing))
      const waiting = yield* beside(Agent.get(agent))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(holding), Exit.void)
      assert.deepStrictEqual(failureOf(yield* ended(crashing)), down(ExitReason.defect(boom), "unknown"))
      assert.deepStrictEqual(failureOf(yield* ended(waiting)), down(ExitReason.defect(boom), "no"))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.defect(boom))
    })
  )

  kernelTest(
    "so does a defect of an effect, and a cast that throws",
    Effect.gen(function* () {
      const one = yield* counter()
      const failed = yield* failure(Agent.updateEffect(one, () => Effect.die("boom")))
      assert.deepStrictEqual(failed, down(ExitReason.defect("boom"), "unknown"))
      const two = yield* counter()
      const pid = Option.getOrThrow(yield* GenServer.pid(two))
      yield* Agent.cast(two, () => {
        throw "cast"
      })
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.defect("cast"))
    })
  )

  kernelTest(
    "a typed failure reaches the caller and leaves the state as it was",
    Effect.gen(function* () {
      const agent = yield* counter(5)
      assert.strictEqual(yield* Effect.flip(Agent.updateEffect(agent, () => Effect.fail("no" as const))), "no")
      assert.strictEqual(yield* Agent.get(agent), 5)
    })
  )

  kernelTest(
    "a caller that leaves does not interrupt a running function, and takes back one that has not begun",
    Effect.gen(function* () {
      const agent = yield* counter()
      const gate = yield* Deferred.make<void>()
      const slow = yield* beside(Agent.updateEffect(agent, (n) => Effect.as(Deferred.await(gate), n + 1)))
      const queued = yield* beside(Agent.update(agent, (n) => n + 100))
      yield* Fiber.interrupt(queued)
      yield* Fiber.interrupt(slow)
      const late = yield* beside(failure(Agent.get(agent)))
      yield* later(5_000)
      assert.deepStrictEqual(yield* ended(late), Exit.succeed(timedOut("no")))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Agent.get(agent), 1)
    })
  )

  kernelTest(
    "an agent that asks itself in its own function is a cycle",
    Effect.gen(function* () {
      const agent = yield* counter()
      const error = yield* Effect.flip(Agent.updateEffect(agent, () => Agent.get(agent)))
      assert.instanceOf(error, GenServer.CallError)
      assert.deepStrictEqual(fieldsOf(error.reason), { _tag: "CallCycle", path: ["counter", "counter"] })
    })
  )

  kernelTest(
    "#116 replaceState changes the state from outside; a function that throws leaves it and the agent is usable",
    Effect.gen(function* () {
      const agent = yield* counter(2)
      assert.strictEqual(yield* Sys.replaceState(agent, (n) => n * 10), 20)
      const failed = yield* Effect.flip(
        Sys.replaceState(agent, () => {
          throw new Error("no")
        })
      )
      assert.instanceOf(failed, Sys.ReplaceFailed)
      assert.strictEqual(yield* Agent.get(agent), 20)
    })
  )

  kernelTest(
    "an init that fails is a start that fails, and leaves nothing",
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(Agent.start(Effect.fail("no init"))), "no init")
      const named = Agent.start(Effect.succeed(0), { name: "test/agent" })
      const first = yield* named
      const error = yield* Effect.flip(named)
      assert.instanceOf(error, Name.AlreadyStarted)
      assert.deepStrictEqual(Option.some(error.pid), yield* GenServer.pid(first))
    })
  )
})

class Region extends Context.Service<Region, string>()("test/Region") {}

describe("environment", () => {
  kernelTest(
    "an effect has the caller's services, and the agent's process and scope",
    Effect.gen(function* () {
      const agent = yield* Agent.start(Effect.succeed<ReadonlyArray<unknown>>([]))
      const pid = Option.getOrThrow(yield* GenServer.pid(agent))
      const released: Array<string> = []
      yield* Agent.updateEffect(agent, () =>
        Effect.gen(function* () {
          yield* Scope.addFinalizer(
            yield* Effect.scope,
            Effect.sync(() => void released.push("scope of the message"))
          )
          return [yield* Region, yield* Process.self]
        })
      ).pipe(Effect.provideService(Region, "here"))
      assert.deepStrictEqual(released, ["scope of the message"])
      assert.deepStrictEqual(yield* Agent.get(agent), ["here", pid])
    })
  )

  kernelTest(
    "the scope of init is the agent's, terminate sees the last state",
    Effect.gen(function* () {
      const seen: Array<string> = []
      class Held extends Agent.Service<Held, number>()("test/Held") {
        static readonly layer = this.define({
          init: (n: number) =>
            Effect.as(
              Effect.addFinalizer(() => Effect.sync(() => void seen.push("released"))),
              n
            ),
          terminate: (reason, n) => Effect.sync(() => void seen.push(`${reason._tag} ${n}`))
        }).layer(7)
      }
      yield* Effect.provide(
        Effect.flatMap(Held, (held) => Agent.update(held, inc)),
        Held.layer
      )
      assert.deepStrictEqual(seen, ["Shutdown 8", "released"])
    })
  )
})

class Counter extends Agent.Service<Counter, number>()("test/Counter") {
  static readonly definition = this.define({ init: (n: number) => Effect.succeed(n) })
}
class Tree extends Supervisor.Service<Tree>()("test/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Counter.definition.layer(10), { id: "counter" })]
}) {}
class Counters extends DynamicSupervisor.Service<Counters>()("test/Counters", { child: Counter.definition }) {}

const crashNow = <S>(agent: Agent.Agent<S>) => Effect.exit(Agent.updateEffect(agent, () => Effect.die("boom")))

describe("under supervisors", () => {
  kernelTest(
    "a supervisor starts an agent again from init, and its client stays valid",
    Effect.gen(function* () {
      const agent = yield* Counter
      yield* Agent.update(agent, inc)
      yield* crashNow(agent)
      assert.strictEqual(yield* Agent.get(agent, { whenDown: "wait" }), 10)
    }).pipe(Effect.provide(Tree.layer))
  )

  kernelTest(
    "a dynamic supervisor has agents by key",
    Effect.gen(function* () {
      const counters = yield* Counters
      const a = yield* counters.startChild("a", 1)
      const b = yield* counters.startChild("b", 2)
      yield* Agent.update(a, inc)
      yield* crashNow(b)
      assert.strictEqual(yield* Agent.get(b, { whenDown: "wait" }), 2)
      const again = Option.getOrThrow(yield* counters.get("a"))
      assert.strictEqual(yield* Agent.get(again), 2)
    }).pipe(Effect.provide(Counters.layer))
  )

  kernelTest(
    "another definition of the service is a double",
    Effect.gen(function* () {
      const program = Effect.flatMap(Counter, (counter) => Agent.get(counter))
      const double = Counter.define({ init: () => Effect.succeed(-1) })
      assert.strictEqual(yield* Effect.provide(program, double.layer()), -1)
    })
  )
})

/** Collects the elements of a stream, beside the test. */
const collecting = <A>(stream: Stream.Stream<A>) =>
  Effect.gen(function* () {
    const seen: Array<A> = []
    const fiber = yield* beside(Stream.runForEach(stream, (value) => Effect.sync(() => void seen.push(value))))
    return { fiber, seen: Effect.map(settle, () => seen.splice(0)) }
  })

describe("changes", () => {
  kernelTest(
    "begins with the present state, then gives each next one",
    Effect.gen(function* () {
      const agent = yield* counter(1)
      const { seen } = yield* collecting(Agent.changes(agent))
      assert.deepStrictEqual(yield* seen, [1])
      yield* Agent.update(agent, inc)
      assert.deepStrictEqual(yield* seen, [2])
      yield* Agent.cast(agent, inc)
      assert.deepStrictEqual(yield* seen, [3])
      yield* Sys.replaceState(agent, () => 9)
      assert.deepStrictEqual(yield* seen, [9])
      yield* Effect.exit(Agent.updateEffect(agent, () => Effect.fail("no")))
      assert.deepStrictEqual(yield* seen, [])
    })
  )

  kernelTest(
    "gives nothing if a turn leaves the state as it was, so a reader may read the agent for each state",
    Effect.gen(function* () {
      const agent = yield* counter(1)
      const looking = Stream.orDie(Stream.mapEffect(Agent.changes(agent), () => Agent.get(agent)))
      const { seen } = yield* collecting(looking)
      assert.deepStrictEqual(yield* seen, [1])
      yield* Agent.modify(agent, (n) => ["unchanged", n])
      yield* Sys.replaceState(agent, (n) => n)
      assert.deepStrictEqual(yield* seen, [])
      yield* Agent.set(agent, 2)
      assert.deepStrictEqual(yield* seen, [2])
    })
  )

  kernelTest(
    "goes on after a restart, with the state of init",
    Effect.gen(function* () {
      const agent = yield* Counter
      const { fiber, seen } = yield* collecting(Agent.changes(agent))
      yield* Agent.update(agent, inc)
      assert.deepStrictEqual((yield* seen).at(-1), 11)
      yield* crashNow(agent)
      yield* Agent.update(agent, (n) => n + 5, { whenDown: "wait" })
      assert.deepStrictEqual((yield* seen).at(-1), 15)
      yield* Process.kill(Option.getOrThrow(yield* GenServer.pid(agent)))
      assert.deepStrictEqual(yield* seen, [10])
      yield* running(fiber)
    }).pipe(Effect.provide(Tree.layer))
  )

  kernelTest(
    "ends when the agent is gone for good",
    Effect.gen(function* () {
      const agent = yield* counter()
      const { fiber } = yield* collecting(Agent.changes(agent))
      yield* GenServer.terminate(agent)
      assert.deepStrictEqual(yield* ended(fiber), Exit.void)
      assert.deepStrictEqual(yield* Stream.runCollect(Agent.changes(agent)), [])
      const crashed = yield* counter()
      const other = yield* collecting(Agent.changes(crashed))
      yield* crashNow(crashed)
      assert.deepStrictEqual(yield* ended(other.fiber), Exit.void)
    })
  )

  kernelTest(
    "every reader sees the states in order, and the last one, whatever happens at the same time",
    Effect.gen(function* () {
      const agent = yield* counter()
      const one = yield* collecting(Agent.changes(agent, { capacity: 2 }))
      const two = yield* Effect.forkChild(Stream.runCollect(Stream.take(Agent.changes(agent), 1)))
      yield* Effect.all(
        Array.from({ length: 30 }, () => Agent.update(agent, inc)),
        { concurrency: "unbounded" }
      )
      const seen = yield* one.seen
      assert.strictEqual(seen.at(-1), 30)
      assert.deepStrictEqual(
        seen.toSorted((a, b) => a - b),
        seen
      )
      assert.strictEqual((yield* Fiber.join(two)).length, 1)
    })
  )

  it.effect("a slow reader misses states in between, never the last", () =>
    Effect.gen(function* () {
      const agent = yield* counter()
      const gate = yield* Deferred.make<void>()
      const seen: Array<number> = []
      yield* beside(
        Stream.runForEach(Agent.changes(agent, { capacity: 3 }), (n) => {
          seen.push(n)
          return Deferred.await(gate)
        })
      )
      for (let i = 0; i < 100; i++) yield* Agent.update(agent, inc)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(seen, [0, 98, 99, 100])
      assert.throws(() => Agent.changes(agent, { capacity: 0 }), RangeError)
    }).pipe(Effect.scoped)
  )

  kernelTest(
    "a closed stream leaves nothing behind, at whatever point it was closed",
    Effect.gen(function* () {
      const agent = yield* Counter
      const gate = yield* Deferred.make<void>()
      const busy = yield* beside(Agent.updateEffect(agent, (n) => Effect.as(Deferred.await(gate), n)))
      const waiting = yield* Effect.forkChild(Stream.runDrain(Agent.changes(agent)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(busy)
      const open = yield* Effect.forkChild(Stream.runDrain(Agent.changes(agent)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(open)
      yield* Agent.update(agent, inc)
      assert.strictEqual((yield* Kernel.messages).pending, 0)
      const read = yield* beside(Stream.runDrain(Agent.changes(agent)))
      const pid = Option.getOrThrow(yield* GenServer.pid(agent)) as unknown as {
        readonly data: { readonly watch: unknown }
      }
      assert.isDefined(pid.data.watch)
      yield* Fiber.interrupt(read)
      assert.isUndefined(pid.data.watch)
    }).pipe(Effect.provide(Tree.layer))
  )
})

describe("the laws of servers", () => {
  const laws = Laws.server({
    start: counter(),
    ask: (agent) => Agent.get(agent),
    crash: (agent) => Agent.updateEffect(agent, () => Effect.die("boom"))
  })
  for (const law of laws) it.effect(law.name, () => law.run)
})

describe("looking in", () => {
  kernelTest(
    "Sys knows the type of the state",
    Effect.gen(function* () {
      const agent = yield* counter(4)
      const state: number = yield* Sys.getState(agent)
      assert.strictEqual(state, 4)
      yield* Sys.suspend(agent)
      const waiting = yield* beside(Agent.get(agent))
      yield* running(waiting)
      yield* Sys.resume(agent)
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(4))
    })
  )

  kernelTest(
    "a trace names the operation",
    Effect.gen(function* () {
      const agent = yield* counter(4)
      const { seen } = yield* collecting(Stream.orDie(Sys.trace(agent)))
      yield* Agent.update(agent, inc)
      const told = (yield* seen).map((event) => {
        if (event._tag === "State") return event.state
        if (event._tag === "Answered") return `answered ${event.tag}`
        return event.message._tag === "Call" ? `call ${event.message.tag}` : event.message._tag
      })
      assert.deepStrictEqual(told, ["call update", "answered update", 5])
    })
  )
})

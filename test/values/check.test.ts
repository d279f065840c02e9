/** Bad durations and numbers: each option of the library refuses each of them, before anything happens. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Layer, Schedule, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Otp from "effect-otp"
import { Probe, SeededScheduler, TestKernel } from "effect-otp/testing"
import { Self } from "../../src/kernel/shared/processRecord.ts"
import * as Check from "../../src/values/check.ts"
import { hostile } from "../fixtures/hostile.ts"

const { DynamicSupervisor, GenServer, Mailbox, PartitionSupervisor, Process, RestartPolicy, StateMachine } = Otp
const { Shutdown, Supervisor, Task, TaskSupervisor, Timer } = Otp

const noDurations: ReadonlyArray<readonly [name: string, value: unknown]> = [
  ["-1", -1],
  ["NaN", NaN],
  ["-Infinity", -Infinity],
  [`"-Infinity"`, "-Infinity"],
  [`"infinity"`, "infinity"],
  ["a word", "soon"],
  ["a number as text", "5"],
  ["an empty text", ""],
  ["a negative text", "-1 seconds"],
  ["a negative Duration", Duration.millis(-1)],
  ["a negative record", { seconds: -1 }],
  ["a record with NaN", { seconds: NaN }],
  ["a record with a unit there is none of", { fortnights: 1 }],
  ["an empty record", {}],
  ["a pair with NaN", [NaN, 0]],
  ["a negative bigint", -1n],
  ["true", true],
  ["null", null],
  ["a date", new Date(0)],
  ...hostile.filter(([name]) => name !== "undefined" && name !== "null").map(([name, make]) => [name, make()] as const)
]

const noCounts: ReadonlyArray<readonly [name: string, value: unknown]> = [
  ["-1", -1],
  ["NaN", NaN],
  ["-Infinity", -Infinity],
  ["1.5", 1.5],
  ["text", "1"],
  ["a bigint", 1n],
  ["true", true],
  ["null", null],
  ["a list", [1]],
  ...hostile.filter(([name]) => name !== "undefined" && name !== "null").map(([name, make]) => [name, make()] as const)
]

class Counter extends GenServer.Service<Counter>()("check/Counter", [
  Rpc.make("next", { success: Schema.Number }),
  Rpc.make("idle", { payload: Schema.Unknown, success: Schema.Number })
]) {}

const define = (options: object = {}): { readonly layer: () => Layer.Layer<Counter> } =>
  Counter.define({
    init: () => Effect.succeed(1),
    handlers: {
      next: (_: unknown, count: number) => GenServer.reply(count, count + 1),
      idle: (idle: unknown, count: number) => GenServer.reply(count, count + 1, { idle: idle as Duration.Input })
    },
    idle: (_reason: never, count: number) => GenServer.noReply(count),
    ...options
  } as never) as never

class Lamp extends StateMachine.Service<Lamp>()("check/Lamp", [GenServer.cast("toggle")]) {}

const tree = (options: object, child: object = {}) =>
  Supervisor.Service<never>()("check/Tree", {
    strategy: "oneForOne",
    children: [Supervisor.child(define().layer(), { id: "counter", ...child })],
    ...options
  })
const pool = (options: object) =>
  DynamicSupervisor.Service<never>()("check/Pool", { child: define(), ...options } as never)
const parts = (options: object) =>
  PartitionSupervisor.Service<never>()("check/Parts", { child: define(), ...options } as never)
const jobs = (options: object) => TaskSupervisor.Service<never>()("check/Jobs", options)

/** Returns an effect, or throws at once. */
type Place = (value: never) => unknown

const withCounter = (use: (counter: Counter["Service"]) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const counter = yield* Counter
    const pid = yield* GenServer.pid(counter)
    const exit = yield* Effect.exit(Effect.suspend(() => use(counter)))
    yield* TestKernel.quiet
    // It still runs, in the same run and with the same state.
    assert.deepStrictEqual(yield* GenServer.pid(counter), pid)
    assert.strictEqual(yield* counter.next(), 1)
    return yield* exit
  }).pipe(Effect.provide(define().layer()))

const withProcess = (use: (pid: Otp.Pid.Pid) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const pid = yield* Process.spawn(Effect.never)
    const exit = yield* Effect.exit(Effect.suspend(() => use(pid)))
    yield* TestKernel.quiet
    assert.isTrue(yield* Process.isAlive(pid))
    yield* Process.kill(pid)
    return yield* exit
  })

const withTask = (use: (task: Otp.Task.Task<void, never>) => Effect.Effect<unknown>) =>
  withProcess((pid) => Effect.flatMap(Effect.provideService(Task.async(Effect.void), Self, pid), (task) => use(task)))

const registry = Otp.Registry.make<string>("check/registry", { keys: "unique" })
const group = Otp.ProcessGroup.make<string>("check/group")
const topic = Otp.Topic.make<number>("check/topic")

const stream = (options: object) => Task.asyncStream(Stream.make(1), Effect.succeed, { concurrency: 1, ...options })

const durations: ReadonlyArray<readonly [option: string, place: Place]> = [
  ["Timer.sendAfter", (delay) => withProcess((pid) => Timer.sendAfter(pid as Otp.Pid.Pid<number>, 1, delay))],
  ["Timer.sendEvery", (delay) => withProcess((pid) => Timer.sendEvery(pid as Otp.Pid.Pid<number>, 1, delay))],
  ["EventLoop.layer: threshold", (threshold) => Otp.EventLoop.layer({ threshold })],
  ["Shutdown.shutdown: limit", (limit) => withProcess((pid) => Shutdown.shutdown(pid, { limit }))],
  ["Shutdown.shutdownAll: limit", (limit) => withProcess((pid) => Shutdown.shutdownAll([pid], { limit }))],
  ["a call: timeout", (timeout) => withCounter((counter) => counter.next(undefined, { timeout }))],
  [
    "CallDefaults: timeout",
    (timeout) => withCounter((counter) => Effect.provideService(counter.next(), GenServer.CallDefaults, { timeout }))
  ],
  ["GenServer.terminate: timeout", (timeout) => withCounter((counter) => GenServer.terminate(counter, { timeout }))],
  ["GenServer: idleTimeout", (idleTimeout) => define({ idleTimeout })],
  ["GenServer: turnTimeout", (turnTimeout) => define({ turnTimeout })],
  ["Agent: idleTimeout", (idleTimeout) => Otp.Agent.start(Effect.succeed(1), { idleTimeout })],
  ["Agent: turnTimeout", (turnTimeout) => Otp.Agent.start(Effect.succeed(1), { turnTimeout })],
  [
    "StateMachine: turnTimeout",
    (turnTimeout) =>
      Lamp.define({
        init: () => Effect.succeed({ _tag: "Off" }),
        handle: () => Otp.Transition.keep,
        turnTimeout
      } as never)
  ],
  ["Transition.timeout", (delay) => Otp.Transition.timeout("timer", delay, { _tag: "Tick" })],
  ["Transition.stateTimeout", (delay) => Otp.Transition.stateTimeout(delay, { _tag: "Tick" })],
  ["Transition.eventTimeout", (delay) => Otp.Transition.eventTimeout(delay, { _tag: "Tick" })],
  ["Transition.elapse", (time) => Otp.Transition.elapse(time)],
  ["Task.poll: timeout", (timeout) => withTask((task) => Task.poll(task, { timeout }))],
  ["Task.shutdown: limit", (limit) => withTask((task) => Task.shutdown(task, { limit }))],
  ["Task.asyncStream: timeout", (timeout) => stream({ timeout })],
  ["Task.asyncStream: shutdown", (shutdown) => stream({ shutdown })],
  ["Supervisor: intensity: within", (within) => tree({ intensity: { max: 1, within } })],
  ["Supervisor.child: shutdown", (shutdown) => tree({}, { shutdown })],
  ["Supervisor.child: resetAfter", (resetAfter) => tree({}, { resetAfter })],
  ["DynamicSupervisor: intensity: within", (within) => pool({ intensity: { max: 1, within } })],
  ["DynamicSupervisor: shutdown", (shutdown) => pool({ shutdown })],
  ["DynamicSupervisor: resetAfter", (resetAfter) => pool({ resetAfter })],
  ["PartitionSupervisor: intensity: within", (within) => parts({ intensity: { max: 1, within } })],
  ["PartitionSupervisor: shutdown", (shutdown) => parts({ shutdown })],
  ["PartitionSupervisor: resetAfter", (resetAfter) => parts({ resetAfter })],
  ["TaskSupervisor: intensity: within", (within) => jobs({ intensity: { max: 1, within } })],
  ["TaskSupervisor: shutdown", (shutdown) => jobs({ shutdown })],
  ["TaskSupervisor: resetAfter", (resetAfter) => jobs({ resetAfter })],
  ["RestartPolicy.intensity: within", (within) => RestartPolicy.intensity({ max: 1, within })],
  ["RestartPolicy.decaying: halfLife", (halfLife) => RestartPolicy.decaying({ threshold: 1, halfLife })],
  ["RestartPolicy.resetAfter", (quiet) => RestartPolicy.resetAfter(Schedule.forever, quiet)],
  ["Application.run: stopWithin", (stopWithin) => Otp.Application.run(Layer.empty, { stopWithin })],
  ["Probe.make: within", (within) => Probe.make({ within })],
  ["TestKernel.adjust", (time) => TestKernel.adjust(time)],
  ["SeededScheduler.adjust", (time) => SeededScheduler.adjust(time)]
]

const counts: ReadonlyArray<readonly [option: string, place: Place]> = [
  ["Mailbox: capacity", (capacity) => Mailbox.bound({ capacity, strategy: "fail" })],
  ["GenServer: mailbox: capacity", (capacity) => define({ mailbox: { capacity, strategy: "fail" } })],
  ["Task.asyncStream: concurrency", (concurrency) => stream({ concurrency })],
  ["Supervisor: intensity: max", (max) => tree({ intensity: { max, within: 1 } })],
  ["DynamicSupervisor: intensity: max", (max) => pool({ intensity: { max, within: 1 } })],
  ["DynamicSupervisor: maxChildren", (maxChildren) => pool({ maxChildren })],
  ["PartitionSupervisor: intensity: max", (max) => parts({ intensity: { max, within: 1 } })],
  ["PartitionSupervisor: partitions", (partitions) => parts({ partitions })],
  ["TaskSupervisor: intensity: max", (max) => jobs({ intensity: { max, within: 1 } })],
  ["TaskSupervisor: maxChildren", (maxChildren) => jobs({ maxChildren })],
  ["Telemetry.stream: capacity", (capacity) => Stream.runDrain(Otp.Telemetry.stream([], { capacity }))],
  ["Telemetry.collect: capacity", (capacity) => Effect.scoped(Otp.Telemetry.collect([], { capacity }))],
  [
    "Agent.changes: capacity",
    (capacity) =>
      Effect.scoped(Effect.map(Otp.Agent.start(Effect.succeed(1)), (one) => Otp.Agent.changes(one, { capacity })))
  ],
  [
    "Sys.trace: capacity",
    (capacity) => withCounter((counter) => Effect.sync(() => Otp.Sys.trace(counter, { capacity })))
  ],
  ["Registry.changes: capacity", (capacity) => Otp.Registry.changes(registry, { capacity })],
  ["ProcessGroup.changes: capacity", (capacity) => Otp.ProcessGroup.changes(group, { capacity })],
  ["ProcessGroup.changesOf: capacity", (capacity) => Otp.ProcessGroup.changesOf(group, "a", { capacity })],
  ["Topic.stream: capacity", (capacity) => Otp.Topic.stream(topic, { capacity, strategy: "fail" })],
  ["Topic.subscription: capacity", (capacity) => Otp.Topic.subscription(topic, { capacity, strategy: "fail" })],
  ["SeededScheduler.runSeed: maxTasks", (maxTasks) => SeededScheduler.runSeed(Effect.void, 1, { maxTasks })],
  ["SeededScheduler.runSeed: idleTurns", (idleTurns) => SeededScheduler.runSeed(Effect.void, 1, { idleTurns })],
  ["RestartPolicy.intensity: max", (max) => RestartPolicy.intensity({ max, within: 1 })],
  ["SeededScheduler.make: seed", (seed) => SeededScheduler.make(seed === (-1 as never) ? NaN : seed)]
]

const records: ReadonlyArray<readonly [option: string, place: Place]> = [
  ["Supervisor: intensity", (intensity) => tree({ intensity })],
  ["DynamicSupervisor: intensity", (intensity) => pool({ intensity })],
  ["PartitionSupervisor: intensity", (intensity) => parts({ intensity })],
  ["TaskSupervisor: intensity", (intensity) => jobs({ intensity })],
  ["Mailbox.bound", (bound) => Mailbox.bound(bound)],
  ["GenServer: mailbox", (mailbox) => define({ mailbox })],
  ["Agent: mailbox", (mailbox) => Effect.scoped(Otp.Agent.start(Effect.succeed(1), { mailbox }))],
  ["Process.spawn: mailbox", (mailbox) => Process.spawn(Effect.void, { mailbox })]
]

const words: ReadonlyArray<readonly [option: string, place: Place]> = [
  ["Mailbox: strategy", (strategy) => Mailbox.bound({ capacity: 1, strategy })],
  ["Supervisor: strategy", (strategy) => tree({ strategy })],
  ["Supervisor: autoShutdown", (autoShutdown) => tree({ autoShutdown })],
  ["Supervisor.child: restart", (restart) => tree({}, { restart })],
  ["DynamicSupervisor: restart", (restart) => pool({ restart })],
  ["PartitionSupervisor: strategy", (strategy) => parts({ strategy })],
  ["Task.asyncStreamNoLink: onTimeout", (onTimeout) => stream({ onTimeout })],
  ["a call: whenDown", (whenDown) => withCounter((counter) => counter.next(undefined, { whenDown }))],
  [
    "CallDefaults: whenDown",
    (whenDown) => withCounter((counter) => Effect.provideService(counter.next(), GenServer.CallDefaults, { whenDown }))
  ],
  ["Sys.getStatus: whenDown", (whenDown) => withCounter((counter) => Otp.Sys.getStatus(counter, { whenDown }))],
  [
    "Sys.trace: strategy",
    (strategy) => withCounter((counter) => Effect.sync(() => Otp.Sys.trace(counter, { strategy })))
  ],
  [
    "Supervisor.resource: rebuild",
    (rebuild) =>
      Supervisor.Service<never>()("check/Resource", {
        strategy: "oneForOne",
        children: [Supervisor.resource(Context.Service<never, number>("check/one"), Layer.empty as never, { rebuild })]
      } as never)
  ],
  ["Topic.stream: strategy", (strategy) => Otp.Topic.stream(topic, { capacity: 1, strategy })],
  ["Registry.make: keys", (keys) => Otp.Registry.make("check/keys", { keys })],
  ["Telemetry.event", (name) => Otp.Telemetry.event(name === ("soon" as never) ? "a..b" : name)],
  ["Name.make", (name) => Otp.Name.make(name === ("soon" as never) ? "" : name)]
]

/** The error that it throws, or dies with. */
const outcome = (place: Place, value: unknown): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const made = place(value as never)
    return Effect.isEffect(made) ? (made as Effect.Effect<unknown, unknown>) : Effect.succeed("accepted")
  }).pipe(
    Effect.provide(TestKernel.layer),
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause)))
  )

const refuses = (places: typeof durations, values: typeof noDurations) =>
  describe.each(places)("%s refuses", (_, place) => {
    it.effect.each(values)("%s", ([, value]) =>
      Effect.map(outcome(place, value), (error) => {
        assert.instanceOf(error, RangeError)
        assert.isBelow(error.message.length, 400)
      })
    )
  })

describe("a duration", () => {
  refuses(durations, noDurations)
})
describe("a whole number", () => {
  refuses(counts, noCounts)
})
const noWords: typeof noDurations = [
  ["a word there is none of", "soon"],
  ["a number", 1],
  ["null", null],
  ...hostile.filter(([name]) => name !== "undefined" && name !== "null").map(([name, make]) => [name, make()] as const)
]

describe("a record of options", () => {
  refuses(records, [["an empty record", {}], ...noWords.filter(([, value]) => value !== undefined)])
})

describe("a word", () => {
  refuses(words, noWords)
})

describe("an idle time that a handler gives", () => {
  it.effect.each(noDurations)("is refused if it is %s: the server crashes, and its state is as it was", ([, idle]) =>
    Effect.gen(function* () {
      const counter = yield* Counter
      const error = yield* Effect.flip(Effect.sandbox(counter.idle(idle)))
      const { reason } = Cause.squash(error) as Otp.GenServer.CallError
      assert.ok(reason._tag === "ServerDown" && reason.reason._tag === "Crash")
      const defect = Cause.squash(reason.reason.cause)
      assert.instanceOf(defect, RangeError)
      assert.match(defect.message, /^idle must be a duration of 0 or more, not /)
    }).pipe(Effect.provide(Layer.provideMerge(define().layer(), TestKernel.layer)), Effect.orDie)
  )
})

describe("Check.duration", () => {
  it.each<readonly [name: string, input: Duration.Input, millis: number]>([
    ["0", 0, 0],
    ["a number", 1.5, 1.5],
    ["a bigint", 10n, 0.00001],
    ["a text", "2 seconds", 2000],
    ["the text Infinity", "Infinity", Infinity],
    ["Infinity", Infinity, Infinity],
    ["Duration.infinity", Duration.infinity, Infinity],
    ["a pair", [1, 500_000_000], 1500],
    ["a record", { minutes: 1, seconds: 30 }, 90_000]
  ])("takes %s", (_, input, millis) => {
    assert.strictEqual(Check.millis("it", input), millis)
  })

  it.each<readonly [input: unknown, shown: string]>([
    [-1, "-1"],
    [NaN, "NaN"],
    ["infinity", `"infinity"`],
    [{ seconds: -1 }, "-1s"],
    [{ password: "secret" }, "[object Object]"],
    [undefined, "undefined"],
    ["x".repeat(1000), `"${"x".repeat(100)}… (900 more characters)"`]
  ])("names the option and shows %j", (input, shown) => {
    assert.throws(
      () => Check.duration("it", input as never),
      RangeError,
      `it must be a duration of 0 or more, not ${shown}`
    )
  })
})

describe("Check.or", () => {
  it("leaves an option out for undefined alone", () => {
    assert.strictEqual(Check.or<number>(undefined, 1), 1)
    assert.deepStrictEqual(
      [Check.or<unknown>(null, 1), Check.or<unknown>(0, 1), Check.or<unknown>("", 1)],
      [null, 0, ""]
    )
  })
})

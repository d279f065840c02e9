/**
 * Contract line 11: no message vanishes, and each call ends exactly once, whatever happens to callers and servers.
 *
 * Every run draws a script (servers, callers, faults) from its seed and plays it in the order of that seed. The model
 * knows how each message may end. A failing run names its seed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Random, Scope } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Kernel, type Mailbox, Process, Shutdown } from "effect-otp/kernel"
import { Supervisor } from "effect-otp/supervision"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { inKernel } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"
import {
  type Client,
  type Context as TurnContext,
  layer,
  type Options,
  Puppet,
  Refused,
  start,
  type Step
} from "./puppet.ts"

// ---- the script ---------------------------------------------------------------------------------------------------

const kinds = [
  "plain",
  "async",
  "async",
  "uninterruptible",
  "slow",
  "fail",
  "failLater",
  "defer",
  "defer",
  "deferFailure",
  "early",
  "never",
  "nested",
  "nested",
  "children",
  "crash",
  "stop",
  "stopReply",
  "idle"
] as const
type Kind = (typeof kinds)[number]

/** Kinds of steps that always answer, unless something happens to the server. */
const answering = [
  "plain",
  "async",
  "uninterruptible",
  "fail",
  "failLater",
  "defer",
  "deferFailure",
  "early",
  "children"
] as const

const faults = ["interrupt", "interrupt", "kill", "shutdown", "terminate", "exit", "time", "time", "nothing"] as const

interface Choices {
  readonly int: (below: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

const choices: Effect.Effect<Choices> = Effect.map(Random.Random, (random) => {
  const int = (below: number) => Math.floor(random.nextDoubleUnsafe() * below)
  return {
    int,
    chance: (probability) => random.nextDoubleUnsafe() < probability,
    pick: <A>(from: ReadonlyArray<A>): A => from[int(from.length)]!
  }
})

// ---- the model ----------------------------------------------------------------------------------------------------

interface Message {
  readonly id: string
  readonly sender: string
  readonly server: number
  readonly isCall: boolean
  readonly kind: Kind
  sequence: number
  begun: number
  ended: number
  begunAtEnd: number
  exit: Exit.Exit<unknown, unknown> | undefined
}

class World {
  readonly choices: Choices
  readonly clients: Array<Client> = []
  readonly messages: Array<Message> = []
  /** Messages that the model does not follow, and requests to stop. */
  others = 0
  /** Faults that a handler has found. If it threw them, it would only crash the server. */
  private readonly violations: Array<string> = []
  private sequence = 0
  private readonly inTurn = new Map<number, string>()
  private readonly lastBegun = new Map<string, number>()
  private readonly kinds: ReadonlyArray<Kind>
  private readonly options: () => GenServer.CallOptions

  /** Patient callers wait for ever, and only send calls that get an answer. */
  constructor(choices: Choices, patient = false) {
    this.choices = choices
    this.kinds = patient ? answering : kinds
    this.options = patient
      ? () => ({ timeout: Duration.infinity })
      : () => ({
          timeout: choices.pick([0, 1, 10, 50, undefined, "inherit" as const, Duration.infinity]),
          whenDown: choices.pick(["fail", "wait"])
        })
  }

  send(sender: string, isCall: boolean): Effect.Effect<unknown, unknown> {
    const { choices } = this
    const server = choices.int(this.clients.length)
    const options = this.options()
    const message: Message = {
      id: `${sender}/${this.messages.length}`,
      sender,
      server,
      isCall,
      kind: choices.pick(this.kinds),
      sequence: 0,
      begun: 0,
      ended: 0,
      begunAtEnd: 0,
      exit: undefined
    }
    this.messages.push(message)
    const sent = Effect.suspend((): Effect.Effect<unknown, unknown> => {
      message.sequence = ++this.sequence
      const client = this.clients[server]!
      return isCall ? client.call(this.turn(message), options) : client.cast(this.turn(message))
    })
    return Effect.onExit(sent, (exit) =>
      Effect.sync(() => {
        message.ended++
        message.begunAtEnd = message.begun
        message.exit = exit
      })
    )
  }

  /** Carries out a message in its handler, and checks what must hold when it begins. */
  private turn(message: Message): Step {
    return (state, context) => {
      const { id, sender, server } = message
      if (++message.begun > 1) this.violations.push(`${id} began twice`)
      const pair = `${sender} to ${server}`
      if ((this.lastBegun.get(pair) ?? 0) >= message.sequence) this.violations.push(`${id} began out of order`)
      this.lastBegun.set(pair, message.sequence)
      const inHand = this.inTurn.get(server)
      if (inHand !== undefined) this.violations.push(`${id} began while ${inHand} was in hand`)
      const next = this.answer(message, state, context)
      if (!Effect.isEffect(next) || Exit.isExit(next)) return next
      const begun = Effect.suspend(() => {
        this.inTurn.set(server, id)
        return next
      })
      // This is around both, because it may be killed before the step after the first.
      return Effect.ensuring(
        begun,
        Effect.sync(() => this.inTurn.delete(server))
      )
    }
  }

  private answer(message: Message, state: number, { from, self }: TurnContext): ReturnType<Step> {
    const { choices } = this
    const { id, kind } = message
    const next = from === undefined ? GenServer.noReply<number, string>(state + 1) : GenServer.reply(id, state + 1)
    const refused = new Refused({ why: id })
    const pause = choices.pick([Effect.yieldNow, Effect.sleep(1), Effect.sleep(20)])
    const later = (answer: Effect.Effect<void> | undefined) =>
      Effect.as(
        Effect.forkDetach(Effect.andThen(pause, answer ?? Effect.void)),
        GenServer.noReply<number, string>(state + 1)
      )
    switch (kind) {
      case "plain":
        return next
      case "async":
        return Effect.as(pause, next)
      case "uninterruptible":
        return Effect.uninterruptible(Effect.as(pause, next))
      case "slow":
        return Effect.as(Effect.sleep(100), next)
      case "fail":
        return from === undefined ? next : Effect.fail(refused)
      case "failLater":
        return from === undefined ? next : Effect.andThen(pause, Effect.fail(refused))
      case "defer":
        return later(from && Effect.andThen(from.succeed(id), from.succeed("a second answer")))
      case "deferFailure":
        return later(from?.fail(refused))
      case "early":
        return Effect.as(Effect.andThen(from?.succeed(id) ?? Effect.void, pause), next)
      case "never":
        return GenServer.noReply(state)
      case "nested":
        return Effect.as(Effect.exit(this.send(`server ${message.server}`, choices.chance(0.8))), next)
      case "children":
        this.others++
        return Effect.as(
          Effect.andThen(Effect.forkChild(Effect.ignore(self.cast(() => GenServer.noReply(0)))), pause),
          next
        )
      case "crash":
        return choices.chance(0.5) ? Effect.die(id) : Effect.andThen(pause, Effect.die(id))
      case "stop":
        return GenServer.stop(ExitReason.shutdown(id), state)
      case "stopReply":
        return from === undefined ? next : GenServer.stopReply(ExitReason.normal, id, state)
      case "idle":
        return from === undefined
          ? GenServer.noReply(state, { idle: choices.int(30) })
          : GenServer.reply(id, state, { continue: "go on" })
    }
  }

  /** Checks what must hold in the end. Returns the outcomes, so that the test can see that all of them happen. */
  check(): ReadonlyArray<string> {
    assert.deepStrictEqual(this.violations, [])
    return this.messages.flatMap((message) => {
      if (message.sequence === 0) return []
      assert.strictEqual(message.ended, 1, `${message.id} (${message.kind}) ended ${message.ended} times`)
      return [message.isCall ? this.checkCall(message) : "cast"]
    })
  }

  private checkCall({ begun, begunAtEnd, exit, id, kind }: Message): string {
    if (Exit.isSuccess(exit!)) {
      assert.strictEqual(exit.value, id, `${id} got another's answer`)
      assert.strictEqual(begun, 1)
      return "answer"
    }
    const { cause } = exit!
    const [reason] = cause.reasons
    if (Cause.hasInterrupts(cause)) {
      assert.strictEqual(begun, begunAtEnd, `${id} began after its caller had left`)
      return begun === 0 ? "withdrawn" : "abandoned"
    }
    assert.strictEqual(cause.reasons.length, 1)
    const error = reason?._tag === "Fail" ? reason.error : assert.fail(`${id} died: ${Cause.pretty(cause)}`)
    if (error instanceof Refused) {
      assert.strictEqual(error.why, id, `${id} got another's failure`)
      return "failure"
    }
    if (!(error instanceof GenServer.CallError)) return assert.fail(String(error))
    assert.strictEqual(begun, error.started === "no" ? 0 : 1, `${id} (${kind}): ${error.message}`)
    assert.strictEqual(begun, begunAtEnd, `${id} began after it had failed`)
    if (error.reason._tag === "CallCycle") assert.strictEqual(error.reason.path[0], error.reason.path.at(-1))
    return `${error.reason._tag} ${error.started}`
  }
}

// ---- the play -----------------------------------------------------------------------------------------------------

const seconds = (count: number) => Effect.repeat(SeededScheduler.adjust("1 second"), { times: count })
const yields = (times: number) => Effect.repeat(Effect.yieldNow, { times })

const optionsOf = ({ chance, int, pick }: Choices, index: number): Options => {
  const strategy: Mailbox.Strategy = pick(["suspend", "fail", "dropping", "sliding"])
  const terminate = pick<Options["terminate"]>([
    () => Effect.void,
    () => Effect.sleep(10),
    () => Effect.die("in terminate"),
    () => Effect.uninterruptible(Effect.sleep(5))
  ])
  const finalizer = pick([Effect.void, Effect.yieldNow, Effect.sleep(5)])
  return {
    init: Effect.gen(function* () {
      yield* Process.setLabel(`server ${index}`)
      yield* Effect.addFinalizer(() => finalizer)
      yield* pick([Effect.void, Effect.yieldNow, Effect.sleep(5)])
      return 0
    }),
    drain: chance(0.3),
    continue: (_, state) =>
      chance(0.5) ? GenServer.noReply(state) : Effect.as(Effect.yieldNow, GenServer.noReply(state)),
    idle: (state) => GenServer.noReply(state),
    ...(chance(0.5) ? { terminate: terminate! } : {}),
    ...(chance(0.4) ? { mailbox: { capacity: 1 + int(3), strategy } } : {})
  }
}

const caller = (world: World, name: string) => {
  const { int, chance, pick } = world.choices
  const one = Effect.suspend(() =>
    Effect.andThen(
      pick([Effect.void, yields(int(5)), Effect.sleep(int(40))]),
      Effect.exit(world.send(name, chance(0.75)))
    )
  )
  const all = Effect.repeat(one, { times: int(6) })
  // Some callers are processes themselves.
  return chance(0.5)
    ? all
    : Effect.flatMap(Process.spawn(Effect.asVoid(all)), (pid) =>
        Effect.onInterrupt(Process.awaitExit(pid), () => Process.kill(pid))
      )
}

const strike = (world: World, callers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const { int, pick } = world.choices
    const client = pick(world.clients)
    const pid = (yield* GenServer.pid(client)).pipe((found) => (found._tag === "Some" ? found.value : undefined))
    const inScope = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkIn(effect, scope)
    switch (pick(faults)) {
      case "interrupt":
        return pick(callers).interruptUnsafe()
      case "kill":
        return pid && (yield* Process.kill(pid))
      case "exit":
        return pid && (yield* Process.exit(pid, ExitReason.defect("signal")))
      case "shutdown":
        world.others++
        return pid && (yield* inScope(Shutdown.shutdown(pid, { limit: pick([0, 10, 100]) })))
      case "terminate":
        world.others++
        return yield* inScope(GenServer.terminate(client, { timeout: pick([0, 10, "1 hour"]) }))
      case "time":
        return yield* SeededScheduler.adjust(int(60))
      case "nothing":
        return
    }
  })

const play = (world: World) =>
  Effect.gen(function* () {
    const { int } = world.choices
    const scope = yield* Effect.scope
    const callers: Array<Fiber.Fiber<unknown, unknown>> = []
    for (let i = 0; i < 2 + int(5); i++) callers.push(yield* Effect.forkChild(caller(world, `caller ${i}`)))
    for (let i = 0; i < int(10); i++) {
      yield* yields(int(12))
      yield* strike(world, callers, scope)
    }
    yield* seconds(20)
    // A server that nobody has stopped gets one more message, and its scope stops it.
    world.others += 2 * world.clients.length
    // If its mailbox is full, it may make the sender wait.
    for (const { cast } of world.clients) yield* Effect.forkChild(cast(() => GenServer.noReply(0)))
    return callers
  })

/** The close of the scope may take until the limit of a process that hangs. */
const closing = (scope: Scope.Closeable) =>
  Effect.gen(function* () {
    const closed = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* seconds(20)
    yield* Fiber.join(closed)
  })

const played = (
  outcomes: Set<string>,
  servers: (world: World, scope: Scope.Scope) => Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function* () {
    const world = new World(yield* choices)
    const scope = yield* Scope.make()
    yield* servers(world, scope)
    const callers = yield* Effect.provideService(play(world), Scope.Scope, scope)
    yield* closing(scope)
    // No more answers will come, so a caller that waits now waits for ever.
    yield* seconds(20)
    for (const fiber of callers) assert.isDefined(fiber.pollUnsafe(), "a caller waits for ever")
    for (const outcome of world.check()) outcomes.add(outcome)
    const { abandoned, failed, handled } = yield* Kernel.messages
    const begun = world.messages.reduce((sum, message) => sum + message.begun, 0)
    const ended = handled + failed + abandoned
    // Each message that began was handled, failed or abandoned, and so were the others. No more than these.
    assert.isAtLeast(ended, begun)
    if (servers === alone) assert.isAtMost(ended, begun + world.others)
  })

/** Starts several effects at once, and lets time pass until they have ended. */
const meanwhile = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    for (let i = 0; i < 3; i++) yield* SeededScheduler.adjust(10)
    return yield* Fiber.join(fiber)
  })

const alone = (world: World, scope: Scope.Scope) =>
  Effect.gen(function* () {
    for (let i = 0; i < 1 + world.choices.int(3); i++) {
      const started = start(optionsOf(world.choices, i))
      world.clients.push(yield* meanwhile(Effect.provideService(started, Scope.Scope, scope)))
    }
  })

const supervised = (world: World, scope: Scope.Scope) =>
  Effect.gen(function* () {
    class Tree extends Supervisor.Service<Tree>()("test/Tree", {
      strategy: "oneForOne",
      intensity: { max: 10_000, within: 1 },
      children: [Supervisor.child(layer(optionsOf(world.choices, 0)), { shutdown: "1 second" })]
    }) {}
    const context = yield* meanwhile(Layer.buildWithScope(Tree.layer, scope))
    world.clients.push(Context.get(context, Puppet))
  })

const expected = [
  "answer",
  "failure",
  "cast",
  "withdrawn",
  "abandoned",
  "Timeout no",
  "Timeout unknown",
  "ServerDown no",
  "ServerDown unknown",
  "MailboxFull no",
  "NoProcess no",
  "CallCycle no"
]

const millis = Duration.toMillis("10 minutes")

/** Sends through a mailbox that may be bounded but loses nothing. */
const patience = Effect.gen(function* () {
  const world = new World(yield* choices, true)
  const { chance, int } = world.choices
  for (let i = 0; i < 1 + int(3); i++) {
    const bounded = chance(0.5) ? { mailbox: { capacity: 1 + int(2), strategy: "suspend" as const } } : {}
    world.clients.push(yield* start(bounded))
  }
  const callers: Array<Fiber.Fiber<unknown, unknown>> = []
  for (let i = 0; i < 1 + int(5); i++) callers.push(yield* Effect.forkChild(caller(world, `caller ${i}`)))
  for (let i = 0; i < 30; i++) yield* SeededScheduler.adjust(50)
  for (const fiber of callers) assert.isDefined(fiber.pollUnsafe(), "a caller waits for ever")
  const outcomes = world.check()
  assert.isTrue(
    outcomes.every((outcome) => ["answer", "failure", "cast"].includes(outcome)),
    outcomes.join()
  )
  return outcomes.length
})

describe("no message vanishes and each call ends exactly once", () => {
  it.effect(
    "without faults all calls are answered, in any order",
    () =>
      Effect.gen(function* () {
        const counts = yield* SeededScheduler.explore(inKernel(patience), { seeds: seeds(1000) })
        assert.isAbove(
          counts.reduce((sum, count) => sum + count, 0),
          counts.length
        )
      }),
    millis
  )

  for (const [what, servers, count] of [
    ["servers that stay down", alone, 1000],
    ["a server that is restarted", supervised, 300]
  ] as const) {
    it.effect(
      `with ${what}, under random faults in any order`,
      () =>
        Effect.gen(function* () {
          const outcomes = new Set<string>()
          const all = seeds(count)
          yield* SeededScheduler.explore(inKernel(played(outcomes, servers)), { seeds: all })
          if (all.length > 1) assert.sameMembers(Array.from(outcomes), expected)
        }),
      millis
    )
  }

  for (const [what, scheduler] of [
    ["Effect's scheduler", Layer.empty],
    ["the run-queue", Kernel.layerScheduler]
  ] as const) {
    it.effect(
      `on ${what}, whose order is always the same, too`,
      () =>
        Effect.forEach(
          seeds(50),
          (seed) =>
            Effect.scoped(inKernel(played(new Set(), alone))).pipe(Effect.provide(scheduler), Random.withSeed(seed)),
          { discard: true }
        ),
      millis
    )
  }
})

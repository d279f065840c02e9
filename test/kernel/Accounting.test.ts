import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { Accounting, ExitReason, Kernel, type Mailbox, type Pid, Process, type Signal, Timer } from "effect-otp/kernel"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import type { ProcessRecord } from "../../src/kernel/shared/processRecord.ts"
import { inKernel, settle } from "../fixtures/kernel.ts"
import { forAll, type Choices } from "../fixtures/property.ts"

/** The ledger of a program: what it has made and seen. The kernel's own counts must agree with it. */
interface World {
  readonly choices: Choices
  /** Every process that ever existed, including one whose spawner was killed before it had the pid. */
  readonly pids: Array<Pid.Pid<number>>
  /** The messages that were received, and those that were announced as dead letters. */
  readonly taken: Array<number>
  readonly dead: Array<number>
  /** Sends that have begun, and sends that are done. */
  begun: number
  done: number
}

type Inbox = Process.Inbox<number>

const bang = ExitReason.shutdown("bang")

const accountOf = (pid: Pid.Pid): Accounting.Accounting => (pid as unknown as ProcessRecord).accounting

const randomBound = ({ chance, int, pick }: Choices): Mailbox.Bound | undefined =>
  chance(0.5) ? undefined : { capacity: 1 + int(3), strategy: pick(["suspend", "fail", "dropping", "sliding"]) }

const send = (world: World): Effect.Effect<void> =>
  Effect.suspend(() => Effect.map(Process.send(world.choices.pick(world.pids), ++world.begun), () => void world.done++))

/** Begins something, and interrupts it at some step. */
const interrupted = <A>(world: World, effect: Effect.Effect<A>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    for (let i = world.choices.int(6); i > 0; i--) yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
  })

const note = (world: World) => (message: number | Signal.Signal) =>
  Effect.sync(() => {
    if (typeof message === "number") world.taken.push(message)
  })

const timers = (world: World): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { choices, pids } = world
    const to = choices.pick(pids)
    const delay = choices.int(20)
    // It counts as sent only when its receiver's account has it.
    const timer = yield* choices.chance(0.3)
      ? Timer.sendEvery<number>(to, -1, delay + 1)
      : Timer.sendAfter<number>(to, -1, delay)
    if (choices.chance(0.5)) yield* Timer.cancel(timer)
  })

/** Actions that any fiber can do. */
const outside = (world: World): Effect.Effect<unknown> => {
  const { choices, pids } = world
  switch (choices.int(9)) {
    case 0:
    case 1:
    case 2:
      return send(world).pipe(Effect.forkDetach)
    case 3:
      return interrupted(world, send(world))
    case 4:
      return Process.kill(choices.pick(pids))
    case 5:
      return Process.exit(choices.pick(pids), choices.pick([bang, ExitReason.normal, ExitReason.defect("signal")]))
    case 6:
      return timers(world)
    case 7:
      return pids.length < 12 ? spawn(world) : Effect.void
    default:
      return Effect.yieldNow
  }
}

/** Actions that only a process can do. */
const inside = (world: World, inbox: Inbox): Effect.Effect<unknown, unknown, Process.Self> => {
  const { choices, pids } = world
  const odd = (message: number | Signal.Signal) => typeof message === "number" && message % 2 === 1
  switch (choices.int(16)) {
    case 0:
    case 1:
    case 2:
      return Effect.flatMap(inbox.take, note(world))
    case 3:
      return Effect.flatMap(Effect.timeoutOption(inbox.receive(odd), choices.int(20)), (found) =>
        Option.isSome(found) ? note(world)(found.value) : Effect.void
      )
    case 4:
      return Effect.flatMap(
        inbox.poll(() => true),
        (found) => (Option.isSome(found) ? note(world)(found.value) : Effect.void)
      )
    case 5:
      return interrupted(world, Effect.flatMap(inbox.take, note(world)))
    case 6:
    case 7:
      return send(world)
    case 8:
      return Effect.uninterruptible(Effect.andThen(send(world), Effect.yieldNow))
    case 9:
      return Effect.ignore(Process.link(choices.pick(pids)))
    case 10:
      return Effect.flatMap(Process.monitor(choices.pick(pids)), (monitor) =>
        choices.chance(0.5) ? Process.demonitor(monitor) : Effect.void
      )
    case 11:
      return Process.unlink(choices.pick(pids))
    case 12:
      return Process.trapExit(choices.chance(0.7))
    case 13:
      return choices.chance(0.3) ? Effect.die("crash") : Effect.void
    default:
      return outside(world)
  }
}

const meet = ({ pids }: World, pid: Pid.Pid): void => {
  if (!pids.includes(pid as Pid.Pid<number>)) pids.push(pid as Pid.Pid<number>)
}

const spawn = (world: World): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { choices } = world
    const steps = choices.int(12)
    const body = (inbox: Inbox) =>
      Effect.gen(function* () {
        if (choices.chance(0.3)) yield* Effect.addFinalizer(() => send(world))
        for (let i = 0; i < steps; i++) yield* inside(world, inbox)
        if (choices.chance(0.5)) return
        while (true) yield* Effect.flatMap(inbox.take, note(world))
      })
    const mailbox = randomBound(choices)
    meet(world, yield* Process.spawn(body, { mailbox, trapExit: choices.chance(0.3) }))
  })

const fates = ["handled", "failed", "returned", "abandoned", "dropped", "deadLettered", "pending", "accepted"] as const

/** Nothing moves now, so each message has a fate, in each account and in the sum. */
const check = (world: World) =>
  Effect.gen(function* () {
    for (const pid of yield* Kernel.processes) meet(world, pid)
    const total = yield* Kernel.messages
    const accounts = world.pids.map(accountOf)
    for (const [i, account] of accounts.entries()) {
      assert.strictEqual(Accounting.missing(account), 0, `${String(world.pids[i])}: ${JSON.stringify(account)}`)
    }
    assert.strictEqual(Accounting.missing(total), 0, JSON.stringify(total))
    for (const fate of fates) {
      const sum = accounts.reduce((sum, account) => sum + account[fate], 0)
      assert.strictEqual(total[fate], sum, `${fate} of the kernel is not the sum: ${JSON.stringify(total)}`)
    }
    // No message has two fates, and none is counted twice. The messages that were seen are those that were counted.
    const seen = [...world.taken, ...world.dead].filter((n) => n > 0)
    assert.strictEqual(new Set(seen).size, seen.length)
    assert.isAtMost(world.taken.length, total.handled)
    assert.isAtLeast(total.accepted, world.done)
    for (const pid of world.pids) {
      if (!(yield* Process.isAlive(pid))) assert.strictEqual(accountOf(pid).pending, 0, String(pid))
    }
  })

const program = (choices: Choices) =>
  Effect.gen(function* () {
    const world: World = { choices, pids: [], taken: [], dead: [], begun: 0, done: 0 }
    yield* Telemetry.attachScoped("ledger", Events.deadLetter, (_, { content }) => {
      if (typeof content === "number") world.dead.push(content)
    })
    yield* Telemetry.attachScoped("census", Events.processExit, (_, { pid }) => meet(world, pid))
    for (let i = 2 + choices.int(3); i > 0; i--) yield* spawn(world)
    for (let i = Math.min(choices.size, 25); i > 0; i--) {
      yield* outside(world)
      if (choices.chance(0.1)) {
        yield* settle
        yield* check(world)
      }
      if (choices.chance(0.1)) yield* SeededScheduler.adjust(choices.int(30))
    }
    yield* settle
    yield* check(world)
    // Several times, because finalizers send.
    for (let round = 0; round < 3; round++) {
      for (const pid of yield* Kernel.processes) yield* Process.kill(pid)
      yield* settle
    }
    yield* check(world)
    for (const pid of world.pids) assert.isFalse(yield* Process.isAlive(pid))
  })

describe("no message vanishes", () => {
  it.effect(
    "whether processes send, receive, crash, are killed, fill up or are interrupted",
    () =>
      Effect.gen(function* () {
        const all: Array<Choices> = []
        forAll((choices) => void all.push(choices))
        const only = process.env["OTP_SEED"]
        for (const [i, choices] of all.entries()) {
          const seed = only === undefined ? i + 1 : Number(only)
          yield* SeededScheduler.runSeed(inKernel(program(choices)), seed).pipe(
            Effect.catchCause((cause) =>
              Effect.die(new Error(`Seed ${seed} fails. Repeat it with OTP_SEED=${seed}`, { cause }))
            )
          )
        }
      }),
    600_000
  )

  it("missing counts the messages without a fate", () => {
    const account = {
      accepted: 10,
      handled: 1,
      failed: 1,
      returned: 1,
      abandoned: 1,
      dropped: 1,
      deadLettered: 1,
      pending: 1
    }
    assert.strictEqual(Accounting.missing(account), 3)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer } from "effect-otp"
import { Handle, Kernel, Process } from "effect-otp/kernel"
import { TestKernel } from "effect-otp/testing"
import { spent } from "../fixtures/cpu.ts"
import { heldAfter, neverFreed } from "../fixtures/garbage.ts"
import { run } from "../fixtures/supervision.ts"

// Real processor time and real memory, because these are measured.

class Kid extends GenServer.Service<Kid>()("test/Kid", [
  Rpc.make("size", { success: Schema.Finite }),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    init: (input: { readonly size: number }) => Effect.succeed(input.size),
    handlers: {
      size: (_, size) => GenServer.reply(size, size),
      crash: () => Effect.die("crash")
    }
  })
}

const quietly = Layer.provideMerge(TestKernel.layer, Logger.layer([]))

describe("scale", () => {
  class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", {
    child: Kid.definition,
    intensity: { max: 1_000_000, within: "1 hour" }
  }) {}

  /** The processor time of each phase with this many children, in milliseconds. */
  const phases = (children: number) =>
    Effect.gen(function* () {
      const { close, context } = yield* run(Kids.layer)
      const kids = Context.get(context, Kids)
      const keys = Array.from({ length: children }, (_, n) => `k${n}`)
      const start = yield* spent(Effect.forEach(keys, (key) => kids.startChild(key, { size: 1 }), { discard: true }))
      const allAgain = (restarts: number): Effect.Effect<void> =>
        Effect.flatMap(kids.whichChildren, (infos) =>
          infos.every((info) => info.restarts === restarts && info.state === "running")
            ? Effect.void
            : Effect.andThen(Effect.yieldNow, allAgain(restarts))
        )
      const clients = yield* Effect.forEach(keys, (key) => Effect.flatMap(kids.get(key), Effect.fromOption))
      const crash = yield* spent(
        Effect.andThen(
          Effect.forEach(clients, (client) => client.crash(), { discard: true }),
          allAgain(1)
        )
      )
      const pids = (yield* kids.whichChildren).map(({ pid }) => pid!)
      const kill = yield* spent(Effect.andThen(Effect.forEach(pids, Process.kill, { discard: true }), allAgain(2)))
      const half = keys.slice(0, children / 2)
      const terminate = yield* spent(Effect.forEach(half, (key) => kids.terminateChild(key), { discard: true }))
      assert.strictEqual((yield* Kernel.counts).processes, children / 2 + 1)
      const stop = yield* spent(close)
      return { start, crash, kill, terminate, stop, ...(yield* waiting(keys)) }
    }).pipe(Effect.provide(quietly))

  class Patient extends DynamicSupervisor.Service<Patient>()("test/Patient", {
    child: Kid.definition,
    schedule: Schedule.spaced("1 hour")
  }) {}

  /**
   * The end of a supervisor whose children all wait for a restart, and the kill of a supervisor whose children all run.
   */
  const waiting = (keys: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const started = Effect.gen(function* () {
        const { close, context } = yield* run(Patient.layer)
        const kids = Context.get(context, Patient)
        yield* Effect.forEach(keys, (key) => kids.startChild(key, { size: 1 }), { discard: true })
        return { close, kids }
      })
      const first = yield* started
      const pids = (yield* first.kids.whichChildren).map(({ pid }) => pid!)
      yield* Effect.forEach(pids, Process.kill, { discard: true })
      yield* TestKernel.quiet
      assert.strictEqual((yield* first.kids.countChildren).restarting, keys.length)
      const cancel = yield* spent(first.close)
      const second = yield* started
      const supervisor = yield* Effect.flatMap(Handle.pid(second.kids), Effect.fromOption)
      const killAll = yield* spent(Effect.andThen(Process.kill(supervisor), second.close))
      assert.strictEqual((yield* Kernel.counts).processes, 0)
      return { cancel, killAll }
    })

  const names = ["start", "crash", "kill", "terminate", "stop", "cancel", "killAll"] as const

  it.live(
    "#142, #146 one supervisor with 10,000 children takes at most three times as long as twenty with 500, in every phase",
    () =>
      Effect.gen(function* () {
        yield* phases(500)
        const few = yield* Effect.replicateEffect(phases(500), 20)
        const many = yield* phases(10_000)
        // The collector takes longer if more is alive.
        for (const phase of names) {
          const twenty = few.reduce((sum, times) => sum + times[phase], 0)
          assert.isAtMost(many[phase] / twenty, 3, `${phase}: ${twenty} ms for twenty, ${many[phase]} ms for one`)
        }
      }),
    60_000
  )
})

describe("memory", () => {
  const supervisors = {
    permanent: class extends DynamicSupervisor.Service<never>()("test/Permanent", { child: Kid.definition }) {},
    temporary: class extends DynamicSupervisor.Service<never>()("test/Temporary", {
      child: Kid.definition,
      restart: "temporary"
    }) {}
  }

  /** Starts children with arguments that nothing else holds. */
  const startWithBigArguments = (restart: keyof typeof supervisors) =>
    Effect.gen(function* () {
      const kids = yield* Effect.service(supervisors[restart])
      const refs: Array<WeakRef<object>> = []
      for (let n = 0; n < 100; n++) {
        const input = { size: n, big: Array.from({ length: 1000 }, () => n) }
        refs.push(new WeakRef(input))
        yield* kids.startChild(`k${n}`, input)
      }
      return refs
    })

  const heldBy = (
    restart: keyof typeof supervisors,
    count: (refs: ReadonlyArray<WeakRef<object>>) => Effect.Effect<number>
  ) =>
    Effect.gen(function* () {
      const held = yield* count(yield* startWithBigArguments(restart))
      assert.strictEqual((yield* Kernel.counts).processes, 101)
      return held
    }).pipe(Effect.provide(Layer.provideMerge(supervisors[restart].layer, quietly)))

  it.live("#145 the arguments of a temporary child are not kept, those of another are", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* heldBy("permanent", (refs) => heldAfter(10, refs)), 100)
      // The last one may still be in a register or on a stack.
      assert.isAtMost(yield* heldBy("temporary", (refs) => neverFreed(refs, 1)), 1)
    })
  )

  it.live("#145 nothing of a child that has ended is kept", () =>
    Effect.gen(function* () {
      const kids = yield* Effect.service(supervisors.temporary)
      const clients: Array<WeakRef<object>> = []
      for (let n = 0; n < 100; n++) {
        const client = yield* kids.startChild("same", { size: n })
        clients.push(new WeakRef(client))
        yield* client.crash()
        while ((yield* kids.countChildren).children > 0) yield* Effect.yieldNow
      }
      assert.isAtMost(yield* neverFreed(clients, 1), 1)
    }).pipe(Effect.provide(Layer.provideMerge(supervisors.temporary.layer, quietly)))
  )
})

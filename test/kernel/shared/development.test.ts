/** Each invariant that a kernel for development checks is broken on purpose, through an internal function. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Layer, Logger, Option, Scope } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, Supervisor } from "effect-otp"
import { Handle, Kernel, Process } from "effect-otp/kernel"
import { TestKernel } from "effect-otp/testing"
import { BrokenInvariant } from "../../../src/kernel/shared/development.ts"
import { kill } from "../../../src/kernel/shared/death.ts"
import { post, countFate } from "../../../src/kernel/shared/delivery.ts"
import { running } from "../../../src/kernel/shared/life.ts"
import { MessageEnvelope } from "../../../src/kernel/shared/plainEnvelopes.ts"
import { become, type ProcessRecord } from "../../../src/kernel/shared/processRecord.ts"
import { recordOf } from "../../../src/kernel/shared/processes.ts"
import { exitSignal } from "../../../src/kernel/shared/signals.ts"
import { CallEnvelope } from "../../../src/behaviour/internal/call/envelopes.ts"
import { idle } from "../../fixtures/kernel.ts"

const ours = "This is a defect of effect-otp, please report it."

/** Runs a program in a kernel for development, and gives the broken invariant that ends it. */
const broken = <E>(program: Effect.Effect<unknown, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const exit = yield* program.pipe(
      Effect.provide(Layer.provideMerge(TestKernel.layerUnfrozen, Logger.layer([]))),
      Effect.exit
    )
    if (Exit.isSuccess(exit)) return []
    const found = exit.cause.reasons.flatMap((reason) => (Cause.isDieReason(reason) ? [reason.defect] : []))
    return found.flatMap((defect) => (defect instanceof BrokenInvariant ? [defect.message] : []))
  })

/** A test that this is found, in these words. */
const finds = <E>(
  title: string,
  program: Effect.Effect<unknown, E, Scope.Scope>,
  ...sentences: ReadonlyArray<string>
) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      const found = new Set(yield* broken(program))
      assert.deepStrictEqual(
        [...found],
        sentences.map((sentence) => `${sentence} ${ours}`)
      )
    })
  )

const process = (label: string) => Effect.map(idle({ label }), recordOf)

const dead = (label: string) =>
  Effect.gen(function* () {
    const pid = yield* Process.spawn(Effect.void, { label })
    yield* Process.awaitExit(pid)
    return recordOf(pid)
  })

const hello = (from?: ProcessRecord) => new MessageEnvelope("hello", from)

describe("each message has one fate", () => {
  finds(
    "a second fate is found",
    Effect.gen(function* () {
      const record = yield* process("twice")
      const message = hello()
      post(record, message)
      record.mailbox.shift()
      countFate(record, message, "returned")
      countFate(record, message, "dropped")
    }),
    'twice <0.1> was about to give "hello" the fate "dropped". Expected: a message that was sent to it and has no fate yet.'
  )

  finds(
    "a fate for a message that was never sent is found",
    Effect.gen(function* () {
      countFate(yield* process("never"), hello(), "handled")
    }),
    'never <0.1> was about to give "hello" the fate "handled". Expected: a message that was sent to it and has no fate yet.'
  )

  finds(
    "a message that has a fate and still waits is found",
    Effect.gen(function* () {
      const record = yield* process("both")
      const message = hello()
      post(record, message)
      countFate(record, message, "handled")
    }),
    "both <0.1> was about to end a turn. Expected: 0 messages without a fate to wait in its mailbox, and 1 do."
  )

  finds(
    "a message that is lost is found at the end of the process",
    Effect.gen(function* () {
      const record = yield* process("lost")
      post(record, hello())
      record.mailbox.shift()
      yield* Process.kill(record)
    }),
    'lost <0.1> was about to end without a fate for "hello". Expected: a fate for each message it was sent.'
  )
})

describe("a process goes through its phases in order", () => {
  finds(
    "a process that runs again is found",
    Effect.gen(function* () {
      become(yield* process("again"), running)
    }),
    "again <0.1> was about to go from running to running. Expected: exiting after that."
  )

  finds(
    "a process that comes back from the dead is found",
    Effect.gen(function* () {
      become(yield* dead("back"), running)
    }),
    "back <0.1> was about to go from ended to running. Expected: nothing after that."
  )
})

class Worker extends GenServer.Service<Worker>()("test/Worker", [
  Rpc.make("plant", { payload: {} }),
  GenServer.cast("crash")
]) {
  static plant = (_record: ProcessRecord): void => {}
  static readonly definition = this.define({
    init: () => Effect.void,
    handlers: {
      plant: (_, state, { self }) => {
        Worker.plant(recordOf(Option.getOrThrow(Effect.runSync(Handle.pid(self)))))
        return GenServer.reply(undefined, state)
      },
      crash: () => Effect.die("asked to")
    }
  })
}

describe("a child has one live run", () => {
  finds(
    "a second run of a server is found",
    Effect.gen(function* () {
      const worker = yield* Worker.definition.start()
      const target = worker[Handle.TypeId] as unknown as { markStarting(record: ProcessRecord): void }
      target.markStarting(yield* process("second"))
    }).pipe(Effect.scoped),
    "test/Worker was about to begin a run while test/Worker <0.1>, the run before it, is running. Expected: that run to have ended, with its fiber and its scope."
  )

  /** Says that a process has ended, which has not. */
  const pretend = (record: ProcessRecord) => Object.defineProperty(record, "ended", { value: true })

  class Workers extends DynamicSupervisor.Service<Workers>()("test/Workers", { child: Worker.definition }) {}

  finds(
    "a dynamic supervisor that restarts a child too early is found",
    Effect.gen(function* () {
      const workers = yield* Workers
      const worker = yield* workers.startChild("one")
      const record = recordOf(Option.getOrThrow(yield* Handle.pid(worker)))
      const gate = yield* Deferred.make<void>()
      yield* Scope.addFinalizer(record.scope!, Deferred.await(gate))
      pretend(record)
      yield* worker.crash()
      yield* TestKernel.quiet
      yield* Deferred.succeed(gate, undefined)
    }).pipe(Effect.provide(Workers.layer)),
    "test/Worker(one) was about to begin a run while test/Worker(one) <0.2>, the run before it, is dead. Expected: that run to have ended, with its fiber and its scope."
  )

  finds(
    "a supervisor that restarts a child too early is found",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const runs: Array<ProcessRecord> = []
      // A worker has no handle, which would find the second run, too. A kill does not end the first run before the gate.
      const run = Effect.gen(function* () {
        runs.push(recordOf(yield* Process.self))
        yield* runs.length === 1 ? Effect.uninterruptible(Deferred.await(gate)) : Effect.never
      })
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.worker("work", run)]
      }) {}
      yield* Layer.build(Tree.layer)
      yield* TestKernel.quiet
      pretend(runs[0]!)
      kill(runs[0]!)
      yield* TestKernel.quiet
      assert.strictEqual(runs.length, 2)
      yield* Deferred.succeed(gate, undefined)
    }),
    "work was about to begin a run while work <0.2>, the run before it, is dead. Expected: that run to have ended, with its fiber and its scope."
  )
})

describe("dead processes send nothing", () => {
  finds(
    "a message from a dead process is found",
    Effect.gen(function* () {
      post(yield* process("to"), hello(yield* dead("from")))
    }),
    'from <0.2> was about to send "hello" to to <0.1>. Expected: nothing of a process that is dead.'
  )

  finds(
    "an exit signal from a dead process is found",
    Effect.gen(function* () {
      const to = yield* process("to")
      exitSignal(to, yield* dead("from"), { _tag: "Normal" } as never)
    }),
    "from <0.2> was about to send an exit signal to <0.1>. Expected: nothing of a process that is dead."
  )

  finds(
    "an answer of a dead server is found",
    Effect.gen(function* () {
      const server = yield* dead("server")
      yield* Effect.callback<void>((resume) => {
        const parts = {
          tag: "get",
          payload: undefined,
          from: undefined,
          messageContext: undefined,
          systemRequest: undefined
        }
        Effect.runFork(
          Effect.withFiber((caller) => {
            const call = new CallEnvelope({ ...parts, server, caller, resume: () => {} })
            resume(Effect.sync(() => call.finish(Exit.void)))
            return Effect.void
          })
        )
      })
    }),
    'server <0.1> was about to answer the call "get". Expected: nothing of a process that is dead.'
  )

  it.effect("what a killed process still sends is discarded, which is no defect", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const [to, from] = [yield* process("to"), yield* process("from")]
        kill(from)
        post(to, hello(from))
        yield* Process.kill(to)
        const { dropped } = yield* Kernel.messages
        assert.strictEqual(dropped, 1)
      })
      assert.deepStrictEqual(yield* broken(program), [])
    })
  )
})

describe("a broken invariant", () => {
  it.effect("fails the test, though the server goes on, and is in the log at once", () =>
    Effect.gen(function* () {
      Worker.plant = (record) => record.mailbox.push(hello())
      const lines: Array<unknown> = []
      const log = Logger.layer([Logger.make(({ message }) => lines.push(message))])
      let answered = false
      const program = Effect.gen(function* () {
        const worker = yield* Worker.definition.start()
        yield* worker.plant({})
        answered = lines.length > 0
      }).pipe(Effect.scoped, Effect.provide(log))
      const sentence =
        "test/Worker <0.1> was about to end a turn. Expected: 0 messages without a fate to wait in its mailbox, and 1 do."
      assert.deepStrictEqual(yield* broken(program), [`${sentence} ${ours}`])
      assert.isTrue(answered)
      assert.include(String(lines[0]), "An invariant of effect-otp is broken")
    })
  )

  it.effect("is found in `Kernel.layerDevelopment`, too, and nothing is looked for in `Kernel.layer`", () =>
    Effect.gen(function* () {
      const plant = Effect.gen(function* () {
        const record = yield* process("twice")
        countFate(record, hello(), "handled")
      })
      const within = (layer: Layer.Layer<never>) =>
        Effect.map(Effect.exit(Effect.provide(plant, layer)), Exit.isSuccess)
      assert.deepStrictEqual([yield* within(Kernel.layerDevelopment), yield* within(Kernel.layer)], [false, true])
    })
  )
})

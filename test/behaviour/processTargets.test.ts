/** Functions about processes that are given the client of a server in place of a pid. */
import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Agent, GenServer } from "effect-otp/behaviour"
import { ExitReason, Handle, Process, Shutdown, Signal } from "effect-otp/kernel"
import { Supervisor } from "effect-otp/supervision"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

class Worker extends GenServer.Service<Worker>()("test/Worker", [GenServer.cast("crash")]) {
  static readonly layer = this.define({
    init: () => Effect.succeed(0),
    handlers: { crash: () => Effect.die("asked to") }
  }).layer()
}

const supervised = (id: string, intensity: number) =>
  class Tree extends Supervisor.Service<Tree>()(id, {
    strategy: "oneForOne",
    intensity: { max: intensity, within: "1 hour" },
    children: [Supervisor.child(Worker.layer, { id: "worker" })]
  }) {}

const Restarting = supervised("test/Restarting", 3)
const GivingUp = supervised("test/GivingUp", 0)

const pidOf = <M>(handle: Handle.Handle<M>) => Effect.map(Handle.pid(handle), Option.getOrThrow)

describe("a client in place of a pid", () => {
  kernelTest(
    "means the run that is up: killing it leads to a restart, and the client means the next run",
    Effect.gen(function* () {
      const worker = yield* Worker
      const first = yield* pidOf(worker)
      assert.deepStrictEqual(yield* Process.info(worker), yield* Process.info(first))
      yield* Process.kill(worker)
      assert.isFalse(yield* Process.isAlive(first))
      yield* settle
      const second = yield* pidOf(worker)
      assert.notStrictEqual(second, first)
      assert.isTrue(yield* Process.isAlive(worker))
      yield* Process.exit(worker, ExitReason.shutdown("again"))
      assert.deepStrictEqual(yield* Process.awaitExit(second), ExitReason.shutdown("again"))
      yield* settle
      yield* Shutdown.killAndAwait(worker)
      yield* settle
      assert.isTrue(yield* Process.isAlive(worker))
    }).pipe(Effect.provide(Layer.fresh(Restarting.layer)))
  )

  kernelTest(
    "gives the Down and the Exit of the run that was up, and later runs give none",
    Effect.gen(function* () {
      const worker = yield* Worker
      const first = yield* pidOf(worker)
      const seen = yield* asProcess(
        (inbox: Process.Inbox<never>) =>
          Effect.gen(function* () {
            const monitor = yield* Process.monitor(worker)
            yield* Process.link(worker)
            yield* Process.kill(worker)
            const exit = yield* inbox.receive(Signal.isExit)
            const down = yield* inbox.receive(Signal.isDown)
            yield* settle
            yield* Process.kill(worker)
            yield* settle
            return [down.monitor === monitor, down.pid, down.reason, exit.from, yield* inbox.poll(() => true)]
          }),
        { trapExit: true }
      )
      assert.deepStrictEqual(seen, [true, first, ExitReason.killed, first, Option.none()])
    }).pipe(Effect.provide(Layer.fresh(Restarting.layer)))
  )

  kernelTest(
    "takes a link back",
    Effect.gen(function* () {
      const worker = yield* Worker
      const seen = yield* asProcess(
        (inbox: Process.Inbox<never>) =>
          Effect.gen(function* () {
            yield* Process.link(worker)
            yield* Process.unlink(worker)
            yield* Process.kill(worker)
            yield* settle
            return yield* inbox.poll(() => true)
          }),
        { trapExit: true }
      )
      assert.deepStrictEqual(seen, Option.none())
    }).pipe(Effect.provide(Layer.fresh(Restarting.layer)))
  )

  kernelTest(
    "means the last run once the server is gone: it is dead, and nothing can be done to it",
    Effect.gen(function* () {
      const worker = yield* Worker
      const pid = yield* pidOf(worker)
      yield* Process.kill(worker)
      yield* settle
      assert.deepStrictEqual(yield* Handle.pid(worker), Option.none())
      assert.isFalse(yield* Process.isAlive(worker))
      assert.deepStrictEqual(yield* Process.info(worker), Option.none())
      assert.deepStrictEqual(yield* Process.awaitExit(worker), ExitReason.killed)
      yield* Process.kill(worker)
      yield* Process.exit(worker, ExitReason.normal)
      yield* Shutdown.awaitEnd(worker)
      assert.deepStrictEqual((yield* Shutdown.shutdown(worker)).reason, ExitReason.killed)
      const seen = yield* asProcess((inbox: Process.Inbox<never>) =>
        Effect.gen(function* () {
          yield* Process.monitor(worker)
          const failed = yield* Effect.flip(Process.link(worker))
          const down = yield* inbox.receive(Signal.isDown)
          return [failed.process, down.pid, down.reason]
        })
      )
      assert.deepStrictEqual(seen, [pid, pid, ExitReason.noProcess])
    }).pipe(Effect.provide(Layer.fresh(GivingUp.layer)))
  )

  kernelTest(
    "works for several at once, beside pids",
    Effect.gen(function* () {
      const agent = yield* Agent.start(Effect.succeed(1))
      const pid = yield* Process.spawn(Effect.never)
      yield* Shutdown.shutdownAll([agent, pid])
      assert.deepStrictEqual([yield* Process.isAlive(agent), yield* Process.isAlive(pid)], [false, false])
    })
  )
})

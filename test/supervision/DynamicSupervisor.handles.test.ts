import { assert, describe, it } from "@effect/vitest"
import { Context, type Duration, Effect, Exit, Fiber, Option, Schedule } from "effect"
import { DynamicSupervisor, type GenServer, Supervisor } from "effect-otp"
import { ExitReason, Process } from "effect-otp/kernel"
import { kid, supervisorOf } from "../fixtures/dynamic.ts"
import { boom, child, crash, Journal, pass, pidOf, quiet, run, treeTest } from "../fixtures/supervision.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

const waitLong = { whenDown: "wait", timeout: "1 hour" } as const

const reasonOf = <A>(call: Effect.Effect<A, GenServer.CallError>) =>
  Effect.map(Effect.flip(call), ({ reason }) => fieldsOf(reason))

interface Intensity {
  readonly max: number
  readonly within: Duration.Input
}

/** A supervisor of kids beside a child that can bring the tree down. A child that fails is down for a minute. */
const tree = (journal: Journal, intensity: Intensity) => {
  const schedule = Schedule.spaced("1 minute")
  const Kids = supervisorOf(journal, { schedule })
  class Root extends Supervisor.Service<Root>()("test/Root", {
    strategy: "oneForOne",
    intensity,
    schedule,
    children: [child(journal, "a"), Supervisor.child(Kids.layer)]
  }) {}
  return { Kids, Root }
}

describe("the client of a dynamic child below another supervisor", () => {
  treeTest("fails with the root's reason once the root has given up, like that of a static child", ({ journal }) =>
    Effect.gen(function* () {
      const { Kids, Root } = tree(journal, { max: 0, within: "1 hour" })
      const { context } = yield* run(Root.layer)
      const root = yield* pidOf(Context.get(context, Root))
      const client = yield* Context.get(context, Kids).startChild("k", "k")
      yield* crash(journal, "a")
      yield* quiet
      const limit = new Supervisor.RestartLimit({
        supervisor: "test/Root",
        child: "a",
        reason: boom,
        attempts: 1,
        policy: "intensity"
      })
      const reason = yield* Process.awaitExit(root)
      assert.deepStrictEqual(reason, ExitReason.shutdown(limit))
      assert.deepStrictEqual(yield* reasonOf(client.incarnation()), { _tag: "ServerDown", reason })
    })
  )

  treeTest("fails so, too, if it waits for the restart of its child while the tree ends", ({ journal }) =>
    Effect.gen(function* () {
      const { Kids, Root } = tree(journal, { max: 0, within: "1 hour" })
      const { context } = yield* run(Root.layer)
      const root = yield* pidOf(Context.get(context, Root))
      const client = yield* Context.get(context, Kids).startChild("k", "k")
      yield* crash(journal, "k")
      yield* quiet
      const waiting = yield* Effect.forkChild(client.incarnation(undefined, waitLong))
      yield* quiet
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* crash(journal, "a")
      const reason = yield* Process.awaitExit(root)
      assert.deepStrictEqual(yield* reasonOf(Fiber.join(waiting)), { _tag: "ServerDown", reason })
    })
  )

  treeTest("says NoProcess once its supervisor was started again, because that child is not", ({ journal }) =>
    Effect.gen(function* () {
      const { Kids, Root } = tree(journal, { max: 2, within: "1 day" })
      const { context } = yield* run(Root.layer)
      const kids = Context.get(context, Kids)
      const client = yield* kids.startChild("k", "k")
      yield* Process.kill(yield* pidOf(kids))
      yield* quiet
      // The supervisor is down, and nobody knows yet whether its children will come back.
      const waiting = yield* Effect.forkChild(client.incarnation(undefined, waitLong))
      yield* quiet
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* pass("1 minute")
      assert.deepStrictEqual(yield* reasonOf(Fiber.join(waiting)), { _tag: "NoProcess" })
      const again = yield* kids.startChild("k", "k")
      assert.strictEqual(yield* again.incarnation(), 2)
      assert.deepStrictEqual(yield* reasonOf(client.incarnation()), { _tag: "NoProcess" })
      // The later end of the tree does not change the reason of that child.
      for (let crashes = 0; crashes < 2; crashes++) {
        yield* crash(journal, "a")
        yield* pass("1 minute")
      }
      assert.deepStrictEqual(yield* reasonOf(client.incarnation()), { _tag: "NoProcess" })
      assert.strictEqual((yield* reasonOf(again.incarnation()))._tag, "ServerDown")
    })
  )

  treeTest("of a child that was terminated before the end says NoProcess", ({ journal }) =>
    Effect.gen(function* () {
      const { Kids, Root } = tree(journal, { max: 0, within: "1 hour" })
      const { context } = yield* run(Root.layer)
      const kids = Context.get(context, Kids)
      const client = yield* kids.startChild("k", "k")
      yield* kids.terminateChild("k")
      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(yield* reasonOf(client.incarnation()), { _tag: "NoProcess" })
    })
  )

  treeTest("of a supervisor that gave up itself keeps that reason", ({ journal }) =>
    Effect.gen(function* () {
      const Kids = supervisorOf(journal, { intensity: { max: 0, within: "1 hour" } })
      class Root extends Supervisor.Service<Root>()("test/Root", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 hour" },
        children: [Supervisor.child(Kids.layer)]
      }) {}
      const { context } = yield* run(Root.layer)
      const client = yield* Context.get(context, Kids).startChild("k", "k")
      yield* crash(journal, "k")
      yield* quiet
      const reason = yield* reasonOf(client.incarnation())
      assert.isTrue(
        reason._tag === "ServerDown" &&
          reason.reason._tag === "Shutdown" &&
          reason.reason.detail instanceof Supervisor.RestartLimit &&
          reason.reason.detail.supervisor === "test/Kids"
      )
    })
  )
})

describe("the key of a dynamic child that is dead for good", () => {
  treeTest("is free for a process that learns of the death, once the child has ended", ({ journal }) =>
    Effect.gen(function* () {
      const Kids = supervisorOf(journal, { restart: "temporary" })
      const { context } = yield* run(Kids.layer)
      const kids = Context.get(context, Kids)
      for (let incarnation = 1; incarnation <= 3; incarnation++) {
        const client = yield* kids.startChild("k", "k")
        assert.strictEqual(yield* client.incarnation(), incarnation)
        yield* Process.kill(yield* pidOf(client))
        assert.deepStrictEqual(yield* kids.get("k"), Option.none())
      }
      const both = Effect.all([Effect.exit(kids.startChild("k", "k")), Effect.exit(kids.startChild("k", "k"))], {
        concurrency: 2
      })
      const failures = (yield* both).filter(Exit.isFailure)
      const { pid } = (yield* kids.whichChildren)[0]!
      // Its process may not have been there yet.
      const refused = [pid, undefined].map((pid) => [
        Exit.fail(new DynamicSupervisor.AlreadyStarted({ processName: "test/Kid(k)", pid }))
      ])
      assert.deepInclude<ReadonlyArray<unknown>>(refused, failures)
    })
  )
})

describe("options from code without types", () => {
  it("an unknown strategy or restart type is a RangeError that says what is allowed", () => {
    const untyped = (options: object): never => options as never
    const worker = Supervisor.worker("w", Effect.never, untyped({ restart: "sometimes" }))
    const restarts = 'restart must be one of permanent, transient, temporary, not "sometimes"'
    assert.throws(
      () => Supervisor.Service<never>()("test/Wrong", { strategy: "oneForOne", children: [worker] }),
      RangeError,
      restarts
    )
    const wrongChild = untyped({ child: kid(new Journal()), restart: "sometimes" })
    assert.throws(() => DynamicSupervisor.Service<never>()("test/Wrong", wrongChild), RangeError, restarts)
    assert.throws(
      () => Supervisor.Service<never>()("test/Wrong", untyped({ strategy: "oneForFour", children: [] })),
      RangeError,
      'strategy must be one of oneForOne, oneForAll, restForOne, not "oneForFour"'
    )
  })
})

/** The promises of the module, one by one. Each subject has a file of its own beside this one. */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Exit, Schedule } from "effect"
import { Supervisor } from "effect-otp"
import { ExitReason, Handle, Process } from "effect-otp/kernel"
import { child, crash, failing, pass, quiet, run, StartError, treeTest } from "../fixtures/supervision.ts"

describe("guarantees", () => {
  treeTest(
    "Children start in order and stop in reverse order, each within its own `shutdown` time, then killed.",
    (world) =>
      Effect.gen(function* () {
        const { journal } = world
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            child(journal, "a"),
            child(journal, "b", { shutdown: "1 second", script: { terminate: () => Effect.never } }),
            child(journal, "c", { shutdown: "10 seconds", script: { terminate: () => Effect.sleep("9 seconds") } })
          ]
        }) {}
        const { close } = yield* run(Sup.layer)
        yield* journal.expect("+a1", "+b1", "+c1")
        const closing = yield* Effect.forkChild(close)
        yield* pass("9 seconds")
        yield* journal.expect("-c1")
        yield* pass("1 second")
        yield* journal.expect("-b1", "-a1")
        assert.isDefined(closing.pollUnsafe())
        const reasons = yield* Effect.forEach(["a", "b", "c"], (name) => Process.awaitExit(journal.pid(name)))
        assert.deepStrictEqual(reasons, [ExitReason.shutdown(), ExitReason.killed, ExitReason.shutdown()])
      })
  )

  treeTest("A failed start stops what runs already and fails the Layer with the child's typed error.", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a"), child(journal, "b", { script: { init: failing("b", 1) } })]
      }) {}
      assert.deepStrictEqual(yield* Effect.exit(run(Sup.layer)), Exit.fail(new StartError({ child: "b" })))
      yield* journal.expect("+a1", "!b1", "-b1", "-a1")
    })
  )

  treeTest("A restart begins only after the dead process and its scope have ended.", ({ journal }) =>
    Effect.gen(function* () {
      const slow = (n: number) =>
        n > 1 ? Effect.void : Effect.addFinalizer(() => Effect.uninterruptible(Effect.sleep("3 seconds")))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: slow } })]
      }) {}
      yield* run(Sup.layer)
      const first = journal.pid("a")
      yield* Process.kill(first)
      yield* pass("2999 millis")
      // Links and monitors see it as dead, but it has not ended.
      assert.deepStrictEqual(yield* Process.awaitExit(first), ExitReason.killed)
      yield* journal.expect("+a1")
      yield* pass("1 millis")
      yield* journal.expect("-a1", "+a2")
    })
  )

  treeTest(
    "The supervisor answers, and can be stopped, while a child's `init` runs or a restart delay passes.",
    (world) =>
      Effect.gen(function* () {
        const { journal } = world
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            child(journal, "a", { script: { init: (n) => (n === 1 ? Effect.void : Effect.never) } }),
            child(journal, "b", { schedule: Schedule.spaced("1 hour") }),
            child(journal, "c")
          ]
        }) {}
        const { close, context } = yield* run(Sup.layer)
        const sup = Context.get(context, Sup)
        yield* crash(journal, "a")
        yield* crash(journal, "b")
        yield* quiet
        const states = Effect.map(sup.whichChildren, (children) => children.map(({ state }) => state))
        assert.deepStrictEqual(yield* states, ["restarting", "restarting", "running"])
        yield* sup.terminateChild("c")
        yield* sup.restartChild("c")
        assert.deepStrictEqual(yield* states, ["restarting", "restarting", "running"])
        yield* close
        yield* journal.expectAll("+a1", "+b1", "+c1", "-a1", "-b1", "-c1", "+c2", "-c2", "!a2", "-a2")
      })
  )

  treeTest("A supervisor that gives up stops its children and ends with `Shutdown(RestartLimit)`.", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [child(journal, "a"), child(journal, "b"), child(journal, "c")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = yield* Effect.flatMap(Handle.pid(Context.get(context, Sup)), Effect.fromOption)
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "+c1", "-b1", "-c1", "-a1")
      const reason = yield* Process.awaitExit(sup)
      assert.isTrue(reason._tag === "Shutdown" && reason.detail instanceof Supervisor.RestartLimit)
    })
  )
})

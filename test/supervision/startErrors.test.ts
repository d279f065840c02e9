/** Start errors that cannot be turned into text. A child with such an error is restarted like any other. */
import { assert, describe } from "@effect/vitest"
import { Data, Effect, Option } from "effect"
import { DynamicSupervisor, ExitReason, GenServer, Supervisor } from "effect-otp"
import { kernelTest, settle } from "../fixtures/kernel.ts"

class Unprintable extends Data.TaggedError("Unprintable") {
  override get message(): string {
    throw new Error("no message")
  }
  override toString(): string {
    throw new Error("no text")
  }
}

class Repo extends GenServer.Service<Repo>()("test/Repo", [GenServer.cast("crash")]) {}

/** A server whose second start fails. */
const flaky = () => {
  let starts = 0
  return Repo.define({
    init: () => Effect.suspend(() => (++starts === 2 ? Effect.fail(new Unprintable()) : Effect.succeed(starts))),
    handlers: { crash: () => Effect.die("asked to") }
  })
}

describe("a start error that has no text", () => {
  kernelTest(
    "is one more failure of a static child",
    Effect.suspend(() => {
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.child(flaky().layer(), { id: "repo" })]
      }) {}
      return Effect.gen(function* () {
        const tree = yield* Tree
        yield* (yield* Repo).crash()
        yield* settle
        const children = yield* tree.whichChildren
        assert.deepStrictEqual(
          children.map(({ id, restarts, state }) => ({ id, restarts, state })),
          [{ id: "repo", restarts: 2, state: "running" }]
        )
      }).pipe(Effect.provide(Tree.layer))
    })
  )

  kernelTest(
    "is one more failure of a dynamic child",
    Effect.suspend(() => {
      class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool", { child: flaky() }) {}
      return Effect.gen(function* () {
        const pool = yield* Pool
        const repo = yield* pool.startChild("a")
        yield* repo.crash()
        yield* settle
        const children = yield* pool.whichChildren
        assert.deepStrictEqual(
          children.map(({ key, restarts, state }) => ({ key, restarts, state })),
          [{ key: "a", restarts: 2, state: "running" }]
        )
        yield* pool.terminateChild("a")
        assert.deepStrictEqual(Option.isNone(yield* pool.get("a")), true)
      }).pipe(Effect.provide(Pool.layer))
    })
  )

  kernelTest(
    "does not prevent the display of an error that holds it",
    Effect.sync(() => {
      assert.strictEqual(
        new Supervisor.StartFailed({ id: "repo", error: new Unprintable() }).message,
        'Child "repo" did not start: Unprintable (its text cannot be shown)'
      )
      assert.strictEqual(
        ExitReason.format(ExitReason.shutdown(new Unprintable())),
        "Shutdown: Unprintable (its text cannot be shown)"
      )
    })
  )
})

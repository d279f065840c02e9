import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Schedule } from "effect"
import { GenServer, Supervisor } from "effect-otp"
import { ExitReason, Handle, Process } from "effect-otp/kernel"
import { crash, end, type Journal, pass, pidOf, quiet, run, server, treeTest } from "../fixtures/supervision.ts"

const noProcess = (request: string) =>
  new GenServer.CallError({ server: "test/a", request, reason: new GenServer.NoProcess(), started: "no" })

describe("a handle", () => {
  /** A handle that survives restarts of its child, of its supervisor, and of the whole group. */
  const tree = (journal: Journal) => {
    const A = server(journal, "a")
    /** Keeps the client that it was started with. */
    class Keeper extends GenServer.Service<Keeper>()("test/Keeper", []) {
      static readonly layer = this.define({ init: () => A, handlers: {} }).layer()
    }
    const seen: Array<unknown> = []
    class Inner extends Supervisor.Service<Inner>()("test/Inner", {
      strategy: "restForOne",
      schedule: Schedule.spaced("1 second"),
      children: [
        Supervisor.child(A.layer),
        Supervisor.child(Keeper.layer),
        Supervisor.worker(
          "w",
          Effect.flatMap(A, (a) =>
            Effect.andThen(
              Effect.sync(() => seen.push(a)),
              Effect.never
            )
          )
        )
      ]
    }) {}
    class Outer extends Supervisor.Service<Outer>()("test/Outer", {
      strategy: "oneForAll",
      children: [
        Supervisor.worker("before", Effect.never),
        Supervisor.child(Inner.layer),
        Supervisor.worker(
          "after",
          Effect.flatMap(A, (a) =>
            Effect.andThen(
              Effect.sync(() => seen.push(a)),
              Effect.never
            )
          )
        )
      ]
    }) {}
    return { A, Inner, Outer, seen }
  }

  treeTest("is the same and valid across restarts of its child, its supervisor and its group", ({ journal }) =>
    Effect.gen(function* () {
      const { A, Inner, Outer, seen } = tree(journal)
      const { context } = yield* run(Outer.layer)
      const a = Context.get(context, A)
      yield* quiet
      assert.strictEqual(yield* a.incarnation(), 1)

      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(yield* Effect.flip(a.incarnation()), noProcess("incarnation"))
      yield* pass("1 second")
      assert.strictEqual(yield* a.incarnation(), 2)

      const inner = yield* pidOf(Context.get(context, Inner))
      yield* Process.kill(inner)
      yield* quiet
      assert.strictEqual(yield* a.incarnation(), 3)
      assert.notStrictEqual(yield* pidOf(Context.get(context, Inner)), inner)

      const [, before] = yield* Context.get(context, Outer).whichChildren
      assert.isDefined(before?.pid)
      yield* Process.kill((yield* Context.get(context, Outer).whichChildren)[0]!.pid!)
      yield* quiet
      assert.strictEqual(yield* a.incarnation(), 4)

      // All of them have this handle, wherever and whenever they took it from the environment.
      assert.strictEqual(seen.length, 7)
      for (const client of seen) assert.strictEqual(client, a)
    })
  )

  treeTest("is valid in a closure that captured it", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer)]
      }) {}
      const { context } = yield* run(Sup.layer)
      const ask = yield* Effect.provideContext(
        Effect.map(A, (a) => () => a.incarnation()),
        context
      )
      assert.strictEqual(yield* ask(), 1)
      yield* end(journal, "a", ExitReason.killed)
      yield* quiet
      assert.strictEqual(yield* ask(), 2)
      assert.strictEqual(
        yield* Effect.provideContext(
          A.use((a) => a.incarnation()),
          context
        ),
        2
      )
    })
  )

  treeTest("waits for a restart if asked to, within the timeout of the call", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.spaced("10 seconds"),
        children: [Supervisor.child(A.layer)]
      }) {}
      const { context } = yield* run(Sup.layer)
      const a = Context.get(context, A)
      yield* end(journal, "a", ExitReason.killed)
      yield* quiet
      const patient = yield* Effect.forkChild(a.incarnation(undefined, { whenDown: "wait", timeout: "20 seconds" }))
      const hasty = yield* Effect.forkChild(Effect.flip(a.incarnation(undefined, { whenDown: "wait" })))
      yield* pass("5 seconds")
      const error = hasty.pollUnsafe()
      assert.isTrue(error?._tag === "Success" && error.value.reason._tag === "Timeout")
      yield* pass("5 seconds")
      const answer = patient.pollUnsafe()
      assert.isTrue(answer?._tag === "Success" && answer.value === 2)
    })
  )

  treeTest("of a child that was stopped by hand says NoProcess, and works again when it is started", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer, { id: "a" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const a = Context.get(context, A)
      yield* Context.get(context, Sup).terminateChild("a")
      assert.deepStrictEqual(yield* Effect.flip(a.incarnation()), noProcess("incarnation"))
      const waiting = yield* Effect.forkChild(a.incarnation(undefined, { whenDown: "wait" }))
      yield* Context.get(context, Sup).restartChild("a")
      yield* quiet
      const answer = waiting.pollUnsafe()
      assert.isTrue(answer?._tag === "Success" && answer.value === 2)
    })
  )

  treeTest("of a temporary child that has ended says why at once, even to a call that would wait", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer, { restart: "temporary" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const a = Context.get(context, A)
      const early = yield* Effect.forkChild(Effect.flip(a.wait(undefined, { whenDown: "wait" })))
      yield* quiet
      yield* end(journal, "a", ExitReason.shutdown())
      yield* Process.kill(journal.pid("a"))
      yield* quiet
      assert.isDefined(early.pollUnsafe())
      const late = yield* Effect.flip(a.incarnation(undefined, { whenDown: "wait", timeout: "1 day" }))
      assert.strictEqual(late.started, "no")
      assert.isTrue(late.reason._tag === "ServerDown" && late.reason.reason._tag === "Killed")
    })
  )

  treeTest("of a temporary child leaves the supervisor even if that child has ended already", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const A = server(journal, "a")
      const B = server(journal, "b", { init: () => Deferred.await(gate) })
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer, { restart: "temporary" }), Supervisor.child(B.layer)]
      }) {}
      const starting = yield* Effect.forkChild(run(Sup.layer))
      yield* quiet
      yield* end(journal, "a", ExitReason.normal)
      yield* quiet
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
      const { context } = yield* Effect.flatten(Effect.suspend(() => Effect.succeed(starting.pollUnsafe()!)))
      assert.deepStrictEqual(yield* Effect.flip(Context.get(context, A).incarnation()), noProcess("incarnation"))
    })
  )

  treeTest("of a temporary child that has ended is still given to a later sibling that restarts", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const B = server(journal, "b", { init: () => Effect.asVoid(A) })
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer, { restart: "temporary" }), Supervisor.child(B.layer)]
      }) {}
      yield* run(Sup.layer)
      yield* end(journal, "a", ExitReason.normal)
      yield* journal.expect("+a1", "+b1", "-a1")
      yield* crash(journal, "b")
      yield* journal.expect("-b1", "+b2")
    })
  )

  treeTest("leaves the supervisor even if the supervisor ended as soon as it was up", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [Supervisor.child(A.layer), Supervisor.worker("w", Effect.die("at once"))]
      }) {}
      const error = yield* Effect.provide(
        Effect.andThen(quiet, Effect.flip(Effect.flatMap(A, (a) => a.incarnation()))),
        Sup.layer
      )
      assert.strictEqual(error._tag, "CallError")
    })
  )

  treeTest("may be replaced by a test double", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Reader extends GenServer.Service<Reader>()("test/Reader", []) {
        static readonly layer = this.define({
          init: () => Effect.flatMap(A, (a) => Effect.orDie(a.incarnation())),
          handlers: {}
        }).layer()
      }
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(Reader.layer)]
      }) {}
      const double = A.of({
        [Handle.TypeId]: { key: A.key },
        incarnation: () => Effect.succeed(17),
        wait: () => Effect.never
      })
      const { context } = yield* run(Layer.provideMerge(Sup.layer, Layer.succeed(A, double)))
      const reader = yield* pidOf(Context.get(context, Reader))
      yield* Process.kill(reader)
      yield* quiet
      assert.notStrictEqual(yield* pidOf(Context.get(context, Reader)), reader)
    })
  )
})

describe("calls in flight", () => {
  treeTest("fail with ServerDown when the server crashes, in hand or in the mailbox, and say which", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer)]
      }) {}
      const { context } = yield* run(Sup.layer)
      const a = Context.get(context, A)
      const inHand = yield* Effect.forkChild(Effect.flip(a.wait(undefined, { timeout: "1 hour" })))
      yield* quiet
      const queued = yield* Effect.forkChild(Effect.flip(a.incarnation()))
      const again = yield* Effect.forkChild(a.incarnation(undefined, { whenDown: "wait" }))
      yield* quiet
      yield* end(journal, "a", ExitReason.killed)
      yield* quiet
      const reason = new GenServer.ServerDown({ reason: ExitReason.killed })
      const base = { server: "test/a", reason }
      const first = inHand.pollUnsafe()
      assert.deepStrictEqual(
        first?._tag === "Success" ? first.value : first,
        new GenServer.CallError({ ...base, request: "wait", started: "unknown" })
      )
      const second = queued.pollUnsafe()
      assert.deepStrictEqual(
        second?._tag === "Success" ? second.value : second,
        new GenServer.CallError({ ...base, request: "incarnation", started: "no" })
      )
      // It had not begun, and could wait, so the next run has answered it.
      const third = again.pollUnsafe()
      assert.isTrue(third?._tag === "Success" && third.value === 2)
    })
  )
})

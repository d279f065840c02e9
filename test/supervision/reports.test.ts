import { assert, describe } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Schedule } from "effect"
import type { Layer } from "effect"
import { Supervisor } from "effect-otp"
import { ExitReason, Handle, Process } from "effect-otp/kernel"
import {
  boom,
  child,
  crash,
  end,
  failing,
  pass,
  quiet,
  run,
  server,
  StartError,
  treeTest,
  type World
} from "../fixtures/supervision.ts"

/** Which process crashed, why, and what was decided: once for each crash. */
const told = ({ crashes }: World) =>
  crashes.map(({ label, cause, decision }) => `${label}: ${(Cause.squash(cause) as Error).message} (${decision})`)

const firstLines = ({ lines }: World) => lines.map(({ level, message }) => `${level} ${message.split("\n")[0]}`)

describe("a crash report", () => {
  treeTest("has process, ancestors, message, state and decision, and is written once", (world) =>
    Effect.gen(function* () {
      const { crashes, journal, lines } = world
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "a")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer)
      const pid = journal.pid("a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      assert.strictEqual(crashes.length, 1)
      assert.deepStrictEqual(crashes[0], {
        pid,
        displayName: "test/a",
        name: undefined,
        label: "test/a",
        ancestors: ["test/Inner", "test/Outer"],
        message: boom,
        state: 1,
        cause: boom._tag === "Crash" ? boom.cause : Cause.empty,
        mailboxLength: 0,
        decision: "restart"
      })
      assert.deepStrictEqual(lines, [{ level: "Error", message: "test/a crashed" }])
    })
  )

  treeTest("waits for the schedule, and says when the child is started again", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.spaced("1 second").pipe(Schedule.while(() => Effect.as(Deferred.await(gate), true))),
        children: [child(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(told(world), [])
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: boom (restart in 1000 ms)"])
      yield* pass("1 second")
      assert.strictEqual(world.crashes.length, 1)
    })
  )

  treeTest("of a temporary child says that it is not started again", (world) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [child(world.journal, "a", { restart: "temporary" }), child(world.journal, "b")]
      }) {}
      yield* run(Sup.layer)
      yield* crash(world.journal, "a")
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: boom (no restart)"])
    })
  )

  for (const by of ["intensity", "schedule"] as const) {
    treeTest(`of the crash that exceeds the ${by} says that the supervisor gives up`, (world) =>
      Effect.gen(function* () {
        const policy =
          by === "intensity" ? { intensity: { max: 1, within: "1 second" } as const } : { schedule: Schedule.recurs(1) }
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          ...policy,
          children: [
            child(world.journal, "a", { shutdown: "1 minute" }),
            child(world.journal, "b", { script: { terminate: () => Effect.sleep("1 second") } })
          ]
        }) {}
        yield* run(Sup.layer)
        yield* crash(world.journal, "a")
        yield* quiet
        yield* crash(world.journal, "a")
        yield* quiet
        // Reported at once, and not only when all others have stopped.
        assert.deepStrictEqual(told(world), ["test/a: boom (restart)", "test/a: boom (give up)"])
        yield* pass("1 second")
        assert.strictEqual(world.crashes.length, 2)
      })
    )
  }

  treeTest("of a sibling that crashes while its group stops says so", (world) =>
    Effect.gen(function* () {
      const terminate = (reason: ExitReason.ExitReason) =>
        reason._tag === "Shutdown" ? Effect.die(new Error("worse")) : Effect.void
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        intensity: { max: 1, within: "1 second" },
        children: [child(world.journal, "a"), child(world.journal, "b", { script: { terminate } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(world.journal, "a")
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: boom (restart)", "test/b: worse (restart with a sibling)"])
      yield* close
      assert.deepStrictEqual(told(world).slice(2), ["test/b: worse (stop)"])
    })
  )

  treeTest("of a child that crashes while it is stopped by hand says that it stays down", (world) =>
    Effect.gen(function* () {
      const terminate = () => Effect.die(new Error("worse"))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(world.journal, "a", { script: { terminate } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* Context.get(context, Sup).terminateChild("a")
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: worse (no restart)"])
    })
  )

  treeTest("of a crash whose restart is included in that of an earlier sibling says so", (world) =>
    Effect.gen(function* () {
      const never = Schedule.forever.pipe(Schedule.while(() => Effect.never))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "restForOne",
        children: [child(world.journal, "a"), child(world.journal, "b", { schedule: never })]
      }) {}
      yield* run(Sup.layer)
      yield* crash(world.journal, "b")
      yield* quiet
      yield* crash(world.journal, "a")
      yield* quiet
      assert.deepStrictEqual(told(world).toSorted(), [
        "test/a: boom (restart)",
        "test/b: boom (restart with a sibling)"
      ])
    })
  )

  treeTest("of a child that is terminated by hand before the schedule answers says that it stays down", (world) =>
    Effect.gen(function* () {
      const never = Schedule.forever.pipe(Schedule.while(() => Effect.never))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(world.journal, "a", { schedule: never })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* crash(world.journal, "a")
      yield* quiet
      yield* Context.get(context, Sup).terminateChild("a")
      assert.deepStrictEqual(told(world), ["test/a: boom (no restart)"])
    })
  )

  treeTest("of an init that dies has the decision, at the boot and later", (world) =>
    Effect.gen(function* () {
      const init = (n: number) => (n === 2 ? Effect.die(new Error("no disk")) : Effect.void)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(world.journal, "a", { script: { init } })]
      }) {}
      yield* run(Sup.layer)
      yield* crash(world.journal, "a")
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: boom (restart)", "test/a: no disk (restart)"])
      class Bad extends Supervisor.Service<Bad>()("test/Bad", {
        strategy: "oneForOne",
        children: [child(world.journal, "z", { script: { init: () => Effect.die(new Error("no disk")) } })]
      }) {}
      yield* Effect.exit(run(Bad.layer))
      assert.deepStrictEqual(told(world).slice(2), ["test/z: no disk (give up)"])
    })
  )

  treeTest("of a crash during the boot comes after it", (world) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(world.journal, "a"),
          child(world.journal, "b", { script: { init: () => Deferred.await(gate) } })
        ]
      }) {}
      yield* Effect.forkScoped(run(Sup.layer))
      yield* quiet
      yield* crash(world.journal, "a")
      yield* quiet
      assert.deepStrictEqual(told(world), [])
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: boom (restart)"])
    })
  )

  treeTest("is not lost when the supervisor is killed", (world) =>
    Effect.gen(function* () {
      const never = Schedule.forever.pipe(Schedule.while(() => Effect.never))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(world.journal, "a", { schedule: never })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* crash(world.journal, "a")
      yield* quiet
      yield* Process.kill(yield* Effect.flatMap(Handle.pid(Context.get(context, Sup)), Effect.fromOption))
      yield* quiet
      assert.deepStrictEqual(told(world), ["test/a: boom (stop)"])
    })
  )

  treeTest("of a zombie that crashes after its supervisor has ended is written all the same", (world) =>
    Effect.gen(function* () {
      const terminate = () =>
        Effect.uninterruptible(Effect.andThen(Effect.sleep("1 minute"), Effect.die(new Error("too late"))))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(world.journal, "a", { shutdown: "1 second", script: { init: () => Effect.addFinalizer(terminate) } })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* Effect.forkChild(close)
      yield* pass("2 seconds")
      assert.isDefined(closing.pollUnsafe())
      yield* pass("1 minute")
      assert.deepStrictEqual(told(world), ["test/a: too late (stop)"])
    })
  )

  treeTest(
    "comes only from the process that crashed: a chain of fifty linked children dies with one",
    (world) =>
      Effect.gen(function* () {
        const { journal } = world
        const names = Array.from({ length: 50 }, (_, index) => `s${index}`)
        const link = (index: number) => () =>
          index === 0 ? Effect.void : Effect.orDie(Process.link(journal.pid(`s${index - 1}`)))
        const children = names.map((name, index) =>
          child(journal, name, { restart: "temporary", script: { init: link(index) } })
        )
        class Sup extends Supervisor.Service<Sup>()("test/Sup", { strategy: "oneForOne", children }) {}
        const { context } = yield* run(Sup.layer as Layer.Layer<Sup, StartError>)
        yield* crash(journal, "s25")
        yield* quiet
        assert.deepStrictEqual(yield* Context.get(context, Sup).whichChildren, [])
        assert.deepStrictEqual(told(world), ["test/s25: boom (no restart)"])
      }),
    3
  )

  treeTest("is not written for an expected end, a kill or a typed failure to start", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 10, within: "1 second" },
        children: [child(journal, "a", { script: { init: failing("a", 5) } })]
      }) {}
      yield* run(Sup.layer)
      for (const reason of [ExitReason.normal, ExitReason.shutdown(), ExitReason.killed, ExitReason.killed]) {
        yield* end(journal, "a", reason)
        yield* quiet
      }
      assert.deepStrictEqual(told(world), [])
      // A restart that fails is not a crash, but is logged.
      assert.deepStrictEqual(firstLines(world), [
        "Warn test/Sup: child a was killed (restart)",
        "Warn test/Sup: child a was killed (restart)",
        `Warn test/Sup: child a did not start: ${String(new StartError({ child: "a" }))} (restart)`
      ])
    })
  )
})

describe("telemetry", () => {
  treeTest("has starts, ends and restarts, in order", ({ events, journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.spaced("1 second"),
        children: [
          child(journal, "a", {
            script: { init: (n) => (n === 2 ? failing("a", 2)(n) : Effect.sleep("100 millis")) }
          })
        ]
      }) {}
      yield* Effect.forkScoped(run(Sup.layer))
      yield* pass("100 millis")
      const first = journal.pid("a")
      yield* pass("400 millis")
      yield* crash(journal, "a")
      yield* pass("2100 millis")
      const failedPid = events.find(
        ({ name, metadata }) => name === "child.exit" && (metadata as { incarnation: number }).incarnation === 2
      )
      const about = (incarnation: number, pid: unknown) => ({ supervisor: "test/Sup", child: "a", incarnation, pid })
      const dead = (failedPid!.metadata as { pid: unknown }).pid
      assert.deepStrictEqual(events, [
        { name: "child.start", measurements: { durationMillis: 100 }, metadata: about(1, first) },
        { name: "child.exit", measurements: { uptimeMillis: 400 }, metadata: { ...about(1, first), reason: boom } },
        { name: "child.restart", measurements: { delayMillis: 1000 }, metadata: about(1, first) },
        {
          name: "child.exit",
          measurements: { uptimeMillis: 0 },
          metadata: {
            ...about(2, dead),
            reason: new Supervisor.StartFailed({ id: "a", error: new StartError({ child: "a" }) })
          }
        },
        { name: "child.restart", measurements: { delayMillis: 1000 }, metadata: about(2, dead) },
        { name: "child.start", measurements: { durationMillis: 100 }, metadata: about(3, journal.pid("a")) }
      ])
    })
  )

  treeTest("a group restart is one child.restart, and a child.start for each member", ({ events, journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [child(journal, "a"), child(journal, "b"), child(journal, "c")]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "b")
      yield* quiet
      const names = events.map(({ name, metadata }) => `${name} ${(metadata as { child: string }).child}`)
      assert.deepStrictEqual(names, [
        ...["child.start a", "child.start b", "child.start c"],
        ...["child.exit b", "child.restart b"],
        ...["child.start a", "child.start b", "child.start c"]
      ])
      // A child that is stopped does not end by itself.
      yield* close
      assert.strictEqual(events.length, 8)
    })
  )

  treeTest("giving up names the limit that was exceeded", ({ events, journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.recurs(1),
        children: [Supervisor.child(server(journal, "a").layer, { id: "a" })]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* quiet
      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(events.at(-1), {
        name: "limit",
        measurements: { attempts: 2 },
        metadata: { supervisor: "test/Sup", child: "a", policy: "schedule" }
      })
    })
  )
})

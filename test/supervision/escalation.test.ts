import { assert, describe } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Supervisor } from "effect-otp"
import { ExitReason, Kernel, type Pid, Process } from "effect-otp/kernel"
import { CurrentTreeEndListener, type TreeEnd } from "../../src/kernel/shared/treeEnd.ts"
import {
  boom,
  child,
  crash,
  end,
  failing,
  type Journal,
  pass,
  pidOf,
  quiet,
  run,
  server,
  treeTest
} from "../fixtures/supervision.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

const once = { max: 0, within: "1 second" } as const

const limitOf = (reason: ExitReason.ExitReason): Supervisor.RestartLimit => {
  const detail = reason._tag === "Shutdown" ? reason.detail : undefined
  assert.instanceOf(detail, Supervisor.RestartLimit, reason._tag)
  return detail
}

describe("escalation", () => {
  treeTest("a supervisor that gives up is restarted by the one above it, with fresh counters", ({ journal, lines }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        intensity: { max: 1, within: "1 hour" },
        children: [child(journal, "b"), child(journal, "c")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer)
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "+c1", "-b1", "+b2")
      yield* crash(journal, "b")
      yield* journal.expect("-b2", "-c1", "+b3", "+c2")
      yield* crash(journal, "b")
      yield* journal.expect("-b3", "+b4")
      assert.deepStrictEqual(
        lines.filter(({ message }) => message.includes("gave up")),
        [
          {
            level: "Error",
            message: `test/Inner gave up on b after 2 failures (intensity): ${ExitReason.format(boom)}`
          }
        ]
      )
    })
  )

  treeTest("its whole group restarts with it, and its reason says why", ({ events, journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        intensity: once,
        children: [child(journal, "b")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForAll",
        children: [child(journal, "a"), Supervisor.child(Inner.layer, { id: "inner" }), child(journal, "c")]
      }) {}
      const { context } = yield* run(Outer.layer)
      const inner = yield* pidOf(Context.get(context, Inner))
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "+c1", "-b1", "-c1", "-a1", "+a2", "+b2", "+c2")
      const reason = yield* Process.awaitExit(inner)
      const expected = { supervisor: "test/Inner", child: "b", reason: boom, attempts: 1, policy: "intensity" } as const
      assert.deepStrictEqual(limitOf(reason), new Supervisor.RestartLimit(expected))
      const ended = events.filter(
        ({ name, metadata }) => name === "child.exit" && "child" in metadata && metadata.child === "inner"
      )
      assert.strictEqual(ended.length, 1)
      assert.strictEqual((ended[0]!.metadata as { reason: unknown }).reason, reason)
    })
  )

  treeTest(
    "#162 a tree: stopped children come back with their group, and inner restarts affect no outer child",
    ({ journal }) =>
      Effect.gen(function* () {
        let broken = false
        const supervisor = (name: string) =>
          class Group extends Supervisor.Service<Group>()(`test/${name}`, {
            strategy: "oneForOne",
            intensity: { max: 2, within: "1 second" },
            children: [
              child(journal, `${name}w`, {
                script: { init: (n) => (broken && name === "y" && n < 5 ? failing("w", n)(n) : Effect.void) }
              })
            ]
          }) {}
        const [X, Y, Z] = [supervisor("x"), supervisor("y"), supervisor("z")]
        class Top extends Supervisor.Service<Top>()("test/Top", {
          strategy: "oneForAll",
          children: [
            Supervisor.child(X.layer, { id: "x" }),
            Supervisor.child(Y.layer, { id: "y" }),
            Supervisor.child(Z.layer, { id: "z" })
          ]
        }) {}
        const { context } = yield* run(Top.layer)
        const top = Context.get(context, Top)
        const states = Effect.map(top.whichChildren, (children) => children.map(({ state }) => state))
        yield* top.terminateChild("z")
        yield* journal.expect("+xw1", "+yw1", "+zw1", "-zw1")
        assert.deepStrictEqual(yield* states, ["running", "running", "stopped"])
        yield* crash(journal, "xw")
        yield* journal.expect("-xw1", "+xw2")
        assert.deepStrictEqual(yield* states, ["running", "running", "stopped"])
        broken = true
        yield* crash(journal, "yw")
        // Three failures are one too many for y. The group comes back, and z with it.
        yield* journal.expect(
          "-yw1",
          "!yw2",
          "-yw2",
          "!yw3",
          "-yw3",
          "-xw2",
          "+xw3",
          "!yw4",
          "-yw4",
          "-xw3",
          "+xw4",
          "+yw5",
          "+zw2"
        )
        assert.deepStrictEqual(yield* states, ["running", "running", "running"])
      })
  )

  treeTest("a tree of three levels gives up level by level, each once, with the reason of the one below", (world) =>
    Effect.gen(function* () {
      const { events, journal, lines } = world
      class Leaf extends Supervisor.Service<Leaf>()("test/Leaf", {
        strategy: "oneForOne",
        intensity: once,
        children: [child(journal, "c")]
      }) {}
      class Middle extends Supervisor.Service<Middle>()("test/Middle", {
        strategy: "oneForOne",
        intensity: once,
        children: [child(journal, "b"), Supervisor.child(Leaf.layer, { id: "leaf" })]
      }) {}
      class Top extends Supervisor.Service<Top>()("test/Top", {
        strategy: "oneForOne",
        intensity: once,
        children: [child(journal, "a"), Supervisor.child(Middle.layer, { id: "middle" })]
      }) {}
      const { context } = yield* run(Top.layer)
      const top = yield* pidOf(Context.get(context, Top))
      yield* crash(journal, "c")
      yield* journal.expect("+a1", "+b1", "+c1", "-c1", "-b1", "-a1")
      const limit = limitOf(yield* Process.awaitExit(top))
      assert.strictEqual(limit.child, "middle")
      const middle = limitOf(limit.reason as ExitReason.ExitReason)
      assert.strictEqual(middle.child, "leaf")
      assert.strictEqual(limitOf(middle.reason as ExitReason.ExitReason).child, "c")
      assert.deepStrictEqual(
        events
          .filter(({ name }) => name === "limit")
          .map(({ measurements, metadata }) => ({ ...measurements, ...metadata })),
        [
          { attempts: 1, supervisor: "test/Leaf", child: "c", policy: "intensity" },
          { attempts: 1, supervisor: "test/Middle", child: "leaf", policy: "intensity" },
          { attempts: 1, supervisor: "test/Top", child: "middle", policy: "intensity" }
        ]
      )
      // The log has the cause at each level, and one fatal line. A fiber of its own writes each line, so no order is
      // promised.
      assert.deepStrictEqual(lines.map(({ level, message }) => `${level} ${message.split("\n")[0]}`).toSorted(), [
        "Error test/Leaf gave up on c after 1 failure (intensity): Crash: Error: boom",
        "Error test/Middle gave up on leaf after 1 failure (intensity): Shutdown: " +
          "test/Leaf gave up on c after 1 failure (intensity): Crash: Error: boom",
        "Error test/c crashed",
        "Fatal The supervision tree test/Top ended: Shutdown: " +
          "test/Top gave up on middle after 1 failure (intensity): Shutdown: " +
          "test/Middle gave up on leaf after 1 failure (intensity): Shutdown: " +
          "test/Leaf gave up on c after 1 failure (intensity): Crash: Error: boom"
      ])
      // One crash was enough, and it is reported once.
      assert.deepStrictEqual(
        world.crashes.map(({ label, decision }) => ({ label, decision })),
        [{ label: "test/c", decision: "give up" }]
      )
    })
  )

  treeTest("a permanent nested supervisor that is stopped by autoShutdown is started again", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        autoShutdown: "anySignificant",
        children: [child(journal, "b", { restart: "transient", significant: true })]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer)
      yield* end(journal, "b", ExitReason.normal)
      yield* journal.expect("+b1", "-b1", "+b2")
    })
  )

  treeTest(
    "a temporary nested supervisor that gives up is not started again, and its handles say it is gone",
    (world) =>
      Effect.gen(function* () {
        const { journal } = world
        const B = server(journal, "b")
        class Inner extends Supervisor.Service<Inner>()("test/Inner", {
          strategy: "oneForOne",
          intensity: once,
          children: [Supervisor.child(B.layer)]
        }) {}
        class Outer extends Supervisor.Service<Outer>()("test/Outer", {
          strategy: "oneForOne",
          children: [Supervisor.child(Inner.layer, { restart: "temporary" })]
        }) {}
        const { context } = yield* run(Outer.layer)
        yield* crash(journal, "b")
        yield* journal.expect("+b1", "-b1")
        assert.deepStrictEqual(yield* Context.get(context, Outer).whichChildren, [])
        assert.deepStrictEqual(yield* Context.get(context, Inner).whichChildren, [])
        // No caller has to wait for a child that will not be started again.
        const error = yield* Effect.flip(Context.get(context, B).incarnation(undefined, { whenDown: "wait" }))
        assert.strictEqual(error._tag, "CallError")
        assert.strictEqual(error.started, "no")
      })
  )
})

describe("the root", () => {
  const tree = (journal: Journal) => {
    const B = server(journal, "b")
    class Top extends Supervisor.Service<Top>()("test/Top", {
      strategy: "oneForOne",
      intensity: once,
      children: [child(journal, "a"), Supervisor.child(B.layer, { id: "b" })]
    }) {}
    return { B, Top }
  }

  treeTest(
    "gives up: one fatal line that says why, and its handles fail at once with that reason",
    ({ journal, lines }) =>
      Effect.gen(function* () {
        const { B, Top } = tree(journal)
        const { close, context } = yield* run(Top.layer)
        const top = yield* pidOf(Context.get(context, Top))
        const b = Context.get(context, B)
        const pending = yield* Effect.forkChild(Effect.flip(b.wait(undefined, { timeout: "1 day" })))
        const patient = yield* Effect.forkChild(Effect.flip(b.wait(undefined, { timeout: "1 day", whenDown: "wait" })))
        yield* quiet
        yield* end(journal, "b", ExitReason.killed)
        yield* journal.expect("+a1", "+b1", "-b1", "-a1")
        const reason = yield* Process.awaitExit(top)
        assert.deepStrictEqual(
          lines.filter(({ level }) => level === "Fatal"),
          [
            {
              level: "Fatal",
              message:
                "The supervision tree test/Top ended: Shutdown: test/Top gave up on b after 1 failure (intensity): Killed"
            }
          ]
        )
        const error = yield* Effect.flip(b.incarnation())
        assert.deepStrictEqual(fieldsOf(error.reason), { _tag: "ServerDown", reason })
        assert.strictEqual(error.started, "no")
        // One call was in the mailbox and never began, or it had begun. Both have ended.
        assert.isDefined(pending.pollUnsafe())
        assert.isDefined(patient.pollUnsafe())
        const [waiting] = [yield* Effect.flip(b.incarnation(undefined, { whenDown: "wait" }))]
        assert.deepStrictEqual(fieldsOf(waiting.reason), { _tag: "ServerDown", reason })
        assert.deepStrictEqual(yield* Context.get(context, Top).whichChildren, [])
        assert.strictEqual((yield* Effect.flip(Context.get(context, Top).terminateChild("a")))._tag, "SupervisorDown")
        // When its scope closes afterwards, there is nothing left to do.
        yield* close
      })
  )

  treeTest("gives up with a listener: the listener is told once, and nothing is fatal", ({ journal, lines }) =>
    Effect.gen(function* () {
      const ends: Array<TreeEnd> = []
      const { Top } = tree(journal)
      const { context } = yield* run(Top.layer).pipe(
        Effect.provideService(CurrentTreeEndListener, (end) => void ends.push(end))
      )
      const top = yield* pidOf(Context.get(context, Top))
      yield* crash(journal, "b")
      yield* quiet
      const reason = yield* Process.awaitExit(top)
      assert.deepStrictEqual(ends, [{ supervisor: "test/Top", reason, failed: true }])
      assert.deepStrictEqual(
        lines.filter(({ level }) => level === "Fatal"),
        []
      )
    })
  )

  treeTest("the listener is told only of the root, not of the supervisors below it", ({ journal }) =>
    Effect.gen(function* () {
      const ends: Array<TreeEnd> = []
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        intensity: once,
        children: [child(journal, "b")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer).pipe(Effect.provideService(CurrentTreeEndListener, (end) => void ends.push(end)))
      yield* crash(journal, "b")
      yield* journal.expect("+b1", "-b1", "+b2")
      assert.deepStrictEqual(ends, [])
    })
  )

  treeTest("is killed: the listener is told that it failed", ({ journal }) =>
    Effect.gen(function* () {
      const ends: Array<TreeEnd> = []
      const { Top } = tree(journal)
      const { context } = yield* run(Top.layer).pipe(
        Effect.provideService(CurrentTreeEndListener, (end) => void ends.push(end))
      )
      yield* Process.kill(yield* pidOf(Context.get(context, Top)))
      yield* journal.expect("+a1", "+b1", "-b1", "-a1")
      assert.deepStrictEqual(ends, [{ supervisor: "test/Top", reason: ExitReason.killed, failed: true }])
    })
  )

  treeTest("does not start, or is asked to end: the listener is not told", ({ journal }) =>
    Effect.gen(function* () {
      const ends: Array<TreeEnd> = []
      const watch = Effect.provideService(CurrentTreeEndListener, (end: TreeEnd) => void ends.push(end))
      class Bad extends Supervisor.Service<Bad>()("test/Bad", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: failing("a", 1) } })]
      }) {}
      yield* Effect.exit(watch(run(Bad.layer)))
      const { Top } = tree(journal)
      const { close } = yield* watch(run(Top.layer))
      yield* close
      yield* quiet
      assert.deepStrictEqual(ends, [])
    })
  )

  treeTest("under Effect.provide: the program goes on, its calls fail", ({ journal, lines }) =>
    Effect.gen(function* () {
      const { B, Top } = tree(journal)
      const program = Effect.gen(function* () {
        const b = yield* B
        assert.strictEqual(yield* b.incarnation(), 1)
        yield* crash(journal, "b")
        yield* quiet
        return yield* Effect.flip(b.incarnation())
      })
      const error = yield* Effect.provide(program, Top.layer)
      assert.strictEqual(error._tag, "CallError")
      assert.strictEqual(lines.filter(({ level }) => level === "Fatal").length, 1)
    })
  )
})

describe("autoShutdown", () => {
  const modes = ["never", "anySignificant", "allSignificant"] as const
  const ends: ReadonlyArray<readonly [string, (journal: Journal, name: string) => Effect.Effect<void>]> = [
    ["is killed", (journal, name) => end(journal, name, ExitReason.killed)],
    ["crashes", crash],
    ["ends well", (journal, name) => end(journal, name, ExitReason.normal)]
  ]

  for (const autoShutdown of modes) {
    for (const restart of ["temporary", "transient"] as const) {
      treeTest(`#177 ${autoShutdown}: a ${restart} child that is not significant shuts nothing down`, ({ journal }) =>
        Effect.gen(function* () {
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy: "oneForOne",
            autoShutdown,
            intensity: { max: 10, within: "1 second" },
            children: [child(journal, "a", { restart }), child(journal, "b", { restart }), child(journal, "c")]
          }) {}
          const { context } = yield* run(Sup.layer)
          const sup = yield* pidOf(Context.get(context, Sup))
          yield* Context.get(context, Sup).terminateChild("b")
          for (const [, endIt] of ends) {
            yield* endIt(journal, "a")
            yield* quiet
            assert.isTrue(yield* Process.isAlive(sup))
          }
        })
      )
    }
  }

  for (const [how, endIt] of ends) {
    treeTest(
      `#178 anySignificant: a significant temporary child that ${how} shuts everything down`,
      ({ journal, lines }) =>
        Effect.gen(function* () {
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy: "oneForOne",
            autoShutdown: "anySignificant",
            children: [
              child(journal, "a"),
              child(journal, "b", { restart: "temporary", significant: true }),
              child(journal, "c", { restart: "temporary", significant: true }),
              child(journal, "d")
            ]
          }) {}
          const { context } = yield* run(Sup.layer)
          const sup = yield* pidOf(Context.get(context, Sup))
          yield* Context.get(context, Sup).terminateChild("c")
          yield* journal.expect("+a1", "+b1", "+c1", "+d1", "-c1")
          yield* endIt(journal, "b")
          yield* journal.expectAll("-b1", "-d1", "-a1")
          const reason = yield* Process.awaitExit(sup)
          assert.deepStrictEqual(reason, ExitReason.shutdown({ _tag: "AutoShutdown", child: "b" }))
          // It ended on purpose, so there is only a note about the tree.
          assert.deepStrictEqual(
            lines.filter(({ level }) => level !== "Error"),
            [
              ...(how === "is killed" ? [{ level: "Warn", message: "test/Sup: child b was killed (stop all)" }] : []),
              { level: "Info", message: "The supervision tree test/Sup ended: Shutdown: AutoShutdown" }
            ]
          )
        })
    )

    treeTest(`#178 allSignificant: only the last significant child that ${how} shuts everything down`, ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          autoShutdown: "allSignificant",
          children: [
            child(journal, "a"),
            child(journal, "b", { restart: "temporary", significant: true }),
            child(journal, "c", { restart: "temporary", significant: true })
          ]
        }) {}
        yield* run(Sup.layer)
        yield* endIt(journal, "b")
        yield* journal.expect("+a1", "+b1", "+c1", "-b1")
        yield* endIt(journal, "c")
        yield* journal.expect("-c1", "-a1")
      })
    )
  }

  treeTest("a significant transient child: a crash restarts it, an expected end shuts down", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        autoShutdown: "anySignificant",
        children: [child(journal, "a"), child(journal, "b", { restart: "transient", significant: true })]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "-b1", "+b2")
      yield* end(journal, "b", ExitReason.shutdown())
      yield* journal.expect("-b2", "-a1")
    })
  )

  for (const strategy of ["oneForOne", "oneForAll", "restForOne"] as const) {
    for (const autoShutdown of ["anySignificant", "allSignificant"] as const) {
      treeTest(
        `#181 ${strategy}, ${autoShutdown}: significant bystanders of a restart shut nothing down`,
        ({ journal }) =>
          Effect.gen(function* () {
            class Sup extends Supervisor.Service<Sup>()("test/Sup", {
              strategy,
              autoShutdown,
              children: [
                child(journal, "a", { restart: "temporary", significant: true }),
                child(journal, "b"),
                child(journal, "c", { restart: "transient", significant: true })
              ]
            }) {}
            const { context } = yield* run(Sup.layer)
            const sup = yield* pidOf(Context.get(context, Sup))
            yield* end(journal, "b", ExitReason.killed)
            yield* quiet
            assert.isTrue(yield* Process.isAlive(sup))
          })
      )

      treeTest(
        `#332 ${strategy}, ${autoShutdown}: stopping or starting a child by hand shuts nothing down`,
        ({ events, journal }) =>
          Effect.gen(function* () {
            class Sup extends Supervisor.Service<Sup>()("test/Sup", {
              strategy,
              autoShutdown,
              intensity: once,
              children: [child(journal, "a", { restart: "transient", significant: true }), child(journal, "b")]
            }) {}
            const { context } = yield* run(Sup.layer)
            const sup = Context.get(context, Sup)
            for (let n = 0; n < 3; n++) {
              yield* sup.terminateChild("a")
              yield* sup.restartChild("a")
            }
            yield* journal.expect("+a1", "+b1", "-a1", "+a2", "-a2", "+a3", "-a3", "+a4")
            assert.deepStrictEqual(
              events.filter(({ name }) => name === "child.restart" || name === "child.exit"),
              []
            )
          })
      )
    }
  }

  for (const significant of [true, false]) {
    treeTest(
      `#182 a supervisor that shut down ${significant ? "ends the one above it" : "does not end the one above it"}`,
      ({ journal }) =>
        Effect.gen(function* () {
          class Inner extends Supervisor.Service<Inner>()("test/Inner", {
            strategy: "oneForOne",
            autoShutdown: "anySignificant",
            children: [child(journal, "b", { restart: "transient", significant: true }), child(journal, "c")]
          }) {}
          class Outer extends Supervisor.Service<Outer>()("test/Outer", {
            strategy: "oneForOne",
            autoShutdown: "anySignificant",
            children: [
              child(journal, "a"),
              Supervisor.child(Inner.layer, { id: "inner", restart: "transient", significant })
            ]
          }) {}
          const { context } = yield* run(Outer.layer)
          yield* end(journal, "b", ExitReason.normal)
          yield* journal.expect("+a1", "+b1", "+c1", "-b1", "-c1", ...(significant ? ["-a1"] : []))
          const children = yield* Context.get(context, Outer).whichChildren
          assert.deepStrictEqual(
            children.map(({ id, state }) => [id, state]),
            significant
              ? []
              : [
                  ["a", "running"],
                  ["inner", "stopped"]
                ]
          )
        })
    )
  }

  treeTest(
    "a transient supervisor with autoShutdown that gives up stays ended, and the log says so",
    ({ journal, lines }) =>
      Effect.gen(function* () {
        class Inner extends Supervisor.Service<Inner>()("test/Inner", {
          strategy: "oneForOne",
          autoShutdown: "anySignificant",
          intensity: once,
          children: [child(journal, "b")]
        }) {}
        class Outer extends Supervisor.Service<Outer>()("test/Outer", {
          strategy: "oneForOne",
          children: [Supervisor.child(Inner.layer, { restart: "transient" })]
        }) {}
        yield* run(Outer.layer)
        yield* crash(journal, "b")
        yield* journal.expect("+b1", "-b1")
        assert.isTrue(
          lines.some(({ level, message }) => level === "Error" && message.startsWith("test/Inner gave up on b"))
        )
      })
  )
})

describe("worker", () => {
  const ends: ReadonlyArray<readonly [string, Effect.Effect<void, string>, boolean]> = [
    ["succeeds", Effect.void, true],
    ["fails", Effect.fail("no"), false],
    ["dies", Effect.die("no"), false],
    ["interrupts itself", Effect.interrupt, false]
  ]
  for (const restart of ["permanent", "transient", "temporary"] as const) {
    for (const [title, effect, expected] of ends) {
      const again = restart === "permanent" || (restart === "transient" && !expected)
      treeTest(`${restart} that ${title}: ${again ? "runs again" : "is over"}`, ({ crashes }) =>
        Effect.gen(function* () {
          let runs = 0
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy: "oneForOne",
            children: [
              Supervisor.worker(
                "w",
                Effect.suspend(() => (++runs === 1 ? effect : Effect.never)),
                { restart }
              )
            ]
          }) {}
          const { context } = yield* run(Sup.layer)
          yield* quiet
          assert.strictEqual(runs, again ? 2 : 1)
          const children = yield* Context.get(context, Sup).whichChildren
          assert.deepStrictEqual(
            children.map(({ state }) => state),
            again ? ["running"] : restart === "temporary" ? [] : ["stopped"]
          )
          assert.deepStrictEqual(
            crashes.map(({ label, decision }) => ({ label, decision })),
            expected ? [] : [{ label: "w", decision: again ? "restart" : "no restart" }]
          )
        })
      )
    }
  }

  treeTest("has its own scope and self in each run, and the services of earlier siblings", ({ journal }) =>
    Effect.gen(function* () {
      class Pool extends Context.Service<Pool, { readonly name: string }>()("test/Pool") {}
      const selves: Array<Pid.Pid> = []
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.resource(Pool, Layer.succeed(Pool, { name: "pool" })),
          Supervisor.worker(
            "w",
            Effect.gen(function* () {
              const run = selves.push(yield* Process.self)
              const { name } = yield* Pool
              yield* Effect.addFinalizer(() => Effect.sync(() => journal.write(`-${name}${run}`)))
              if (run === 1) return yield* Effect.fail("once")
              return yield* Effect.never
            })
          )
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("-pool1")
      assert.notStrictEqual(selves[0], selves[1])
      yield* close
      yield* journal.expect("-pool2")
    })
  )

  treeTest("is interrupted at once when it has to end, and killed at its limit", ({ journal }) =>
    Effect.gen(function* () {
      const stubborn = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.sleep("1 hour"),
          Effect.sync(() => journal.write("w"))
        )
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.worker(
            "v",
            Effect.onInterrupt(Effect.never, () => Effect.sync(() => journal.write("v")))
          ),
          Supervisor.worker("w", stubborn, { shutdown: "1 second" })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* quiet
      const closing = yield* Effect.forkChild(close)
      yield* pass("2 seconds")
      yield* journal.expect("v")
      assert.isDefined(closing.pollUnsafe())
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      yield* pass("1 hour")
      yield* journal.expect("w")
    })
  )
})

import { assert, describe } from "@effect/vitest"
import { Clock, Context, Deferred, Duration, Effect, Layer, Schedule } from "effect"
import { RestartPolicy, Supervisor } from "effect-otp"
import { ExitReason, Kernel, type Pid, Process } from "effect-otp/kernel"
import {
  boom,
  child,
  crash,
  end,
  failing,
  type Journal,
  pass,
  run,
  StartError,
  treeTest
} from "../fixtures/supervision.ts"

/** Crashes a child, waits until it is up again, and returns how long that took, in steps. */
const downTime = (journal: Journal, name: string, step = 100) =>
  Effect.gen(function* () {
    const before = journal.pid(name)
    yield* crash(journal, name)
    let millis = 0
    yield* pass("0 millis")
    for (; journal.pid(name) === before; millis += step) yield* pass(step)
    return millis
  })

/** Seeds for tests in which much time passes. */
const fewer = 6

const limitOf = (supervisor: Pid.Pid) =>
  Effect.map(Process.awaitExit(supervisor), (reason) => {
    const detail = reason._tag === "Shutdown" ? reason.detail : undefined
    assert.instanceOf(detail, Supervisor.RestartLimit, reason._tag)
    return detail
  })

/** The pid of the supervisor at the root. It is the oldest process. */
const root = Effect.map(Kernel.processes, ([first]) => first!)

/** A schedule that restarts at once and records the time of each step. */
const timesOf = () => {
  const seen: Array<number> = []
  const step = (now: number) =>
    Effect.sync((): [number, Duration.Duration] => {
      seen.push(now)
      return [now, Duration.zero]
    })
  return { seen, schedule: Schedule.fromStep(Effect.succeed(step)) }
}

describe("delays", () => {
  treeTest(
    "the supervisor's schedule is stepped for each child by itself",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          schedule: Schedule.exponential("100 millis"),
          children: [child(journal, "a"), child(journal, "b")]
        }) {}
        yield* run(Sup.layer)
        assert.deepStrictEqual(yield* Effect.replicateEffect(downTime(journal, "a"), 3), [100, 200, 400])
        assert.strictEqual(yield* downTime(journal, "b"), 100)
        assert.strictEqual(yield* downTime(journal, "a"), 800)
      }),
    fewer
  )

  treeTest(
    "a child's own schedule comes before the supervisor's",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          schedule: Schedule.spaced("1 second"),
          children: [child(journal, "a", { schedule: Schedule.spaced("100 millis") }), child(journal, "b")]
        }) {}
        yield* run(Sup.layer)
        assert.strictEqual(yield* downTime(journal, "a"), 100)
        assert.strictEqual(yield* downTime(journal, "b"), 1000)
      }),
    fewer
  )

  treeTest("one child's delay holds up no other", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { schedule: Schedule.spaced("1 minute") }), child(journal, "b")]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* crash(journal, "b")
      yield* journal.expectAll("+a1", "+b1", "-a1", "-b1", "+b2")
      yield* pass("1 minute")
      yield* journal.expect("+a2")
    })
  )

  treeTest("the function form sees the ending: reason, start error, incarnation, uptime", ({ journal }) =>
    Effect.gen(function* () {
      const seen: Array<RestartPolicy.ChildExit<StartError>> = []
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a", {
            script: { init: failing("a", 2) },
            schedule: ($) =>
              $(Schedule.spaced("1 second")).pipe(
                Schedule.while(({ input }) => {
                  seen.push(input)
                  return input.reason._tag !== "Normal"
                })
              )
          })
        ]
      }) {}
      yield* run(Sup.layer)
      const supervisor = yield* root
      yield* pass("3 seconds")
      yield* end(journal, "a", ExitReason.killed)
      yield* pass("2 seconds")
      yield* journal.expect("+a1", "-a1", "!a2", "-a2", "+a3")
      yield* pass("250 millis")
      yield* end(journal, "a", ExitReason.normal)
      yield* journal.expect("-a3")
      assert.deepStrictEqual(seen, [
        { id: "a", incarnation: 0, reason: ExitReason.killed, uptime: Duration.seconds(3) },
        {
          id: "a",
          incarnation: 1,
          reason: new Supervisor.StartFailed<StartError>({ id: "a", error: new StartError({ child: "a" }) }),
          uptime: Duration.zero
        },
        { id: "a", incarnation: 2, reason: ExitReason.normal, uptime: Duration.millis(250) }
      ])
      // The schedule has ended, and so has the supervisor.
      const { attempts, policy } = yield* limitOf(supervisor)
      assert.deepStrictEqual({ attempts, policy }, { attempts: 3, policy: "schedule" })
    })
  )

  treeTest(
    "begins anew after the window of the intensity, 5 seconds, of healthy life",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          schedule: Schedule.exponential("100 millis"),
          children: [child(journal, "a")]
        }) {}
        yield* run(Sup.layer)
        assert.deepStrictEqual(yield* Effect.replicateEffect(downTime(journal, "a"), 2), [100, 200])
        yield* pass("4900 millis")
        assert.strictEqual(yield* downTime(journal, "a"), 400)
        yield* pass("5 seconds")
        assert.strictEqual(yield* downTime(journal, "a"), 100)
      }),
    fewer
  )

  for (const resetAfter of ["1 second", "1 minute"] as const) {
    treeTest(
      `begins anew after ${resetAfter} of healthy life where the child says so; delays are not health`,
      ({ journal }) =>
        Effect.gen(function* () {
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy: "oneForOne",
            intensity: { max: 100, within: "3 seconds" },
            children: [child(journal, "a", { resetAfter, schedule: Schedule.exponential("1 second") })]
          }) {}
          yield* run(Sup.layer)
          assert.deepStrictEqual(yield* Effect.replicateEffect(downTime(journal, "a", 500), 3), [1000, 2000, 4000])
          yield* pass(resetAfter)
          assert.strictEqual(yield* downTime(journal, "a", 500), 1000)
        }),
      fewer
    )
  }

  treeTest(
    "a schedule may need services: the supervisor's and those of elder siblings",
    ({ journal }) =>
      Effect.gen(function* () {
        class Delay extends Context.Service<Delay, Duration.Input>()("test/Delay") {}
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            child(journal, "a", {
              schedule: Schedule.forever.pipe(Schedule.addDelay(() => Effect.map(Delay, Duration.fromInputUnsafe)))
            })
          ]
        }) {}
        yield* run(Layer.provide(Sup.layer, Layer.succeed(Delay, "300 millis")))
        assert.strictEqual(yield* downTime(journal, "a"), 300)
      }),
    fewer
  )

  treeTest("a schedule gets the time of the Clock, in milliseconds since 1970", ({ journal }) =>
    Effect.gen(function* () {
      const { schedule, seen } = timesOf()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { schedule })]
      }) {}
      yield* run(Sup.layer)
      yield* pass("1 second")
      const clock = yield* Clock.Clock
      const in2026 = Object.create(clock, {
        currentTimeMillisUnsafe: { value: () => Date.UTC(2026, 0, 1) + clock.currentTimeMillisUnsafe() }
      }) as Clock.Clock
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      assert.deepStrictEqual(seen.splice(0), [1000])
      yield* Effect.provideService(run(Sup.layer), Clock.Clock, in2026)
      yield* crash(journal, "a")
      yield* journal.expect("+a3", "-a3", "+a4")
      assert.deepStrictEqual(seen, [Date.UTC(2026, 0, 1) + 1000])
    })
  )

  treeTest("a wall clock that is set forward does not empty the window of a policy", ({ journal }) =>
    Effect.gen(function* () {
      let setForward = 0
      const clock = yield* Clock.Clock
      const wall = Object.create(clock, {
        currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + setForward }
      }) as Clock.Clock
      const sup = class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: RestartPolicy.intensity({ max: 1, within: "1 second" }),
        children: [child(journal, "a")]
      }) {}
      yield* Effect.provideService(run(sup.layer), Clock.Clock, wall)
      const supervisor = yield* root
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      setForward = 1_000_000
      yield* crash(journal, "a")
      yield* journal.expect("-a2")
      assert.strictEqual((yield* limitOf(supervisor)).policy, "schedule")
    })
  )

  treeTest("a schedule that dies has ended, and says so in the log", ({ journal, lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.forever.pipe(Schedule.while(() => Effect.die("no idea"))),
        children: [child(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      const supervisor = yield* root
      yield* crash(journal, "a")
      assert.strictEqual((yield* limitOf(supervisor)).policy, "schedule")
      assert.include(
        lines.map(({ message }) => message),
        "A restart schedule failed with a defect"
      )
    })
  )

  treeTest("an infinite delay is no restart, and no obstacle to a stop", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.spaced(Duration.infinity),
        children: [child(journal, "a"), child(journal, "b")]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* pass("1000 days")
      yield* close
      yield* journal.expect("+a1", "+b1", "-a1", "-b1")
    })
  )

  treeTest("in a group all are stopped first, then the delay passes, then all start in order", ({ journal }) =>
    Effect.gen(function* () {
      const terminate = () => Effect.sleep("1 second")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "restForOne",
        schedule: Schedule.spaced("1 second"),
        children: [child(journal, "a"), child(journal, "b"), child(journal, "c", { script: { terminate } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1", "+b1", "+c1")
      yield* crash(journal, "b")
      yield* journal.expect("-b1")
      yield* pass("1 second")
      yield* journal.expect("-c1")
      yield* pass("999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("+b2", "+c2")
      const closing = yield* Effect.forkChild(close)
      yield* pass("1 second")
      assert.isDefined(closing.pollUnsafe())
    })
  )

  treeTest("the crash of an elder sibling during the delay takes the restart over", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "restForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { schedule: Schedule.spaced("1 minute") }),
          child(journal, "c")
        ]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "+c1", "-b1", "-c1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1", "+a2", "+b2", "+c2")
      yield* pass("1 minute")
      yield* journal.expect()
    })
  )
})

describe("intensity", () => {
  const giveUp = (journal: Journal, crashes: number) =>
    Effect.gen(function* () {
      const supervisor = yield* root
      for (let n = 1; n < crashes; n++) {
        yield* crash(journal, "a")
        yield* pass("0 millis")
        assert.isTrue(yield* Process.isAlive(supervisor), `after crash ${n}`)
      }
      yield* crash(journal, "a")
      return yield* limitOf(supervisor)
    })

  treeTest("is 3 in 5 seconds unless something is said", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      const limit = yield* giveUp(journal, 4)
      const { child: id, attempts, policy, supervisor } = limit
      assert.deepStrictEqual(
        { id, attempts, policy, supervisor },
        { id: "a", attempts: 4, policy: "intensity", supervisor: "test/Sup" }
      )
      assert.deepStrictEqual(limit.reason, boom)
    })
  )

  treeTest("#325 max 3 and a start that always fails: exactly 3 further starts", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 3, within: "1 second" },
        children: [child(journal, "a", { script: { init: failing("a", 2, 3, 4, 5) } })]
      }) {}
      yield* run(Sup.layer)
      const limit = yield* giveUp(journal, 1)
      yield* journal.expect("+a1", "-a1", "!a2", "-a2", "!a3", "-a3", "!a4", "-a4")
      assert.deepStrictEqual(
        limit.reason,
        new Supervisor.StartFailed({ id: "a", error: new StartError({ child: "a" }) })
      )
      assert.strictEqual(limit.attempts, 4)
      assert.include(String(limit), "start failed")
    })
  )

  treeTest("0: the first failure ends the supervisor", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [child(journal, "a"), child(journal, "b"), child(journal, "c")]
      }) {}
      yield* run(Sup.layer)
      assert.strictEqual((yield* giveUp(journal, 1)).attempts, 1)
      yield* journal.expect("+a1", "+b1", "+c1", "-a1", "-c1", "-b1")
    })
  )

  treeTest("#164 #324 the window is exact: closed at its end, and nothing outside of it counts", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 1, within: "1 second" },
        children: [child(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      const supervisor = yield* root
      for (let n = 0; n < 4; n++) {
        yield* crash(journal, "a")
        yield* pass("1001 millis")
        assert.isTrue(yield* Process.isAlive(supervisor))
      }
      yield* crash(journal, "a")
      yield* pass("1000 millis")
      yield* crash(journal, "a")
      assert.strictEqual((yield* limitOf(supervisor)).attempts, 2)
    })
  )

  for (const [strategy, survives] of [
    ["oneForAll", true],
    ["oneForOne", false]
  ] as const) {
    treeTest(
      `#326 two children killed together under ${strategy} are ${survives ? "one entry" : "two entries"}`,
      ({ journal }) =>
        Effect.gen(function* () {
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy,
            intensity: { max: 1, within: "1 second" },
            children: [child(journal, "a"), child(journal, "b")]
          }) {}
          yield* run(Sup.layer)
          const supervisor = yield* root
          yield* Effect.andThen(Process.kill(journal.pid("a")), Process.kill(journal.pid("b")))
          yield* pass("0 millis")
          assert.strictEqual(yield* Process.isAlive(supervisor), survives)
        })
    )
  }

  treeTest(
    "is off where a schedule is given without it",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          schedule: Schedule.forever,
          children: [child(journal, "a")]
        }) {}
        yield* run(Sup.layer)
        for (let n = 0; n < 8; n++) yield* downTime(journal, "a")
      }),
    fewer
  )

  treeTest(
    "counts only the children without a schedule of their own where none is given",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [child(journal, "a"), child(journal, "b", { schedule: Schedule.forever })]
        }) {}
        yield* run(Sup.layer)
        for (let n = 0; n < 5; n++) yield* downTime(journal, "b")
        assert.strictEqual((yield* giveUp(journal, 4)).child, "a")
      }),
    fewer
  )

  treeTest(
    "counts all where it is given beside a schedule, and names which had enough",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          intensity: { max: 2, within: "1 minute" },
          schedule: Schedule.recurs(3),
          children: [child(journal, "a"), child(journal, "b")]
        }) {}
        yield* run(Sup.layer)
        const supervisor = yield* root
        yield* downTime(journal, "a")
        yield* downTime(journal, "b")
        yield* crash(journal, "a")
        const { attempts, child: id, policy } = yield* limitOf(supervisor)
        assert.deepStrictEqual({ attempts, id, policy }, { attempts: 3, id: "a", policy: "intensity" })
      }),
    fewer
  )

  treeTest(
    "a schedule that has ended is named before an intensity that holds",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          intensity: { max: 10, within: "1 minute" },
          schedule: Schedule.recurs(1),
          children: [child(journal, "a"), child(journal, "b")]
        }) {}
        yield* run(Sup.layer)
        const supervisor = yield* root
        yield* downTime(journal, "a")
        yield* downTime(journal, "b")
        yield* crash(journal, "b")
        const { attempts, child: id, policy } = yield* limitOf(supervisor)
        assert.deepStrictEqual({ attempts, id, policy }, { attempts: 2, id: "b", policy: "schedule" })
        yield* journal.expect("+a1", "+b1", "-a1", "+a2", "-b1", "+b2", "-b2", "-a2")
      }),
    fewer
  )

  treeTest(
    "RestartPolicy.intensity bounds one child by itself",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          schedule: RestartPolicy.intensity({ max: 1, within: "1 second" }),
          children: [child(journal, "a"), child(journal, "b")]
        }) {}
        yield* run(Sup.layer)
        const supervisor = yield* root
        yield* downTime(journal, "a")
        yield* downTime(journal, "b")
        assert.isTrue(yield* Process.isAlive(supervisor))
        yield* crash(journal, "b")
        assert.strictEqual((yield* limitOf(supervisor)).policy, "schedule")
      }),
    fewer
  )
})

describe("groups", () => {
  treeTest(
    "#157 oneForAll: another child fails its restart: what was restarted is stopped before any new start",
    ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForAll",
          children: [
            child(journal, "a"),
            child(journal, "b", { script: { init: failing("b", 2) } }),
            child(journal, "c")
          ]
        }) {}
        yield* run(Sup.layer)
        yield* crash(journal, "a")
        yield* journal.expect(
          ...["+a1", "+b1", "+c1"],
          ...["-a1", "-c1", "-b1", "+a2", "!b2", "-b2"],
          ...["-a2", "+a3", "+b3", "+c2"]
        )
      })
  )

  treeTest("#158 restForOne: another child fails its restart: only it and those after it are retried", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "restForOne",
        children: [child(journal, "a"), child(journal, "b", { script: { init: failing("b", 2) } }), child(journal, "c")]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "+b1", "+c1", "-a1", "-c1", "-b1", "+a2", "!b2", "-b2", "+b3", "+c2")
    })
  )

  treeTest("temporary members are stopped and not started again; those that had ended well come back", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [
          child(journal, "a", { restart: "temporary" }),
          child(journal, "b", { restart: "transient" }),
          child(journal, "c")
        ]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* end(journal, "b", ExitReason.normal)
      yield* journal.expect("+a1", "+b1", "+c1", "-b1")
      yield* crash(journal, "c")
      yield* journal.expect("-c1", "-a1", "+b2", "+c2")
      const children = yield* Context.get(context, Sup).whichChildren
      assert.deepStrictEqual(
        children.map(({ id, restarts }) => [id, restarts]),
        [
          ["b", 1],
          ["c", 1]
        ]
      )
    })
  )

  treeTest(
    "a sibling that crashes while it is being stopped is neither counted nor restarted on its own",
    ({ journal }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForAll",
          intensity: { max: 1, within: "1 second" },
          children: [
            child(journal, "a"),
            child(journal, "b", {
              script: { terminate: () => Effect.andThen(Deferred.await(gate), Effect.die("worse")) }
            })
          ]
        }) {}
        const { close } = yield* run(Sup.layer)
        yield* crash(journal, "a")
        yield* journal.expect("+a1", "+b1", "-a1")
        yield* Deferred.succeed(gate, undefined)
        yield* journal.expect("-b1", "+a2", "+b2")
        yield* close
      })
  )
})

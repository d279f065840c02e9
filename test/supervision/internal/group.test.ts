import { assert, describe, it } from "@effect/vitest"
import { restartsAfter } from "../../../src/supervision/internal/core/restartType.ts"
import { boot, decide, type Options, checkOptions } from "../../../src/supervision/internal/group/group.ts"
import { booted, permanent, resource, Script, temporary, transient } from "./script.ts"

const abc = [permanent("a"), permanent("b"), permanent("c")]
const intensity = (max: number) => ({ max, withinMillis: 5000 })

describe("boot", () => {
  it("starts in list order, each after the one before is up", () => {
    const script = new Script({ members: abc })
    assert.deepStrictEqual(script.log, ["start a"])
    assert.deepStrictEqual(script.ok("start a"), ["start b"])
    assert.deepStrictEqual(script.children(), ["a running", "b starting", "c stopped"])
    assert.deepStrictEqual(script.ok("start b"), ["start c"])
    assert.deepStrictEqual(script.ok("start c"), ["booted"])
    assert.deepStrictEqual(script.pending(), [])
  })

  it("#117 a supervisor without children is up at once, and ends at once", () => {
    const script = new Script({ members: [] })
    assert.deepStrictEqual(script.log, ["booted"])
    assert.deepStrictEqual(script.stop(), ["end Requested stop"])
  })

  it("a failed start stops what runs, in reverse, and starts no later child", () => {
    const script = new Script({ members: [...abc, permanent("d")] })
    script.ok("start a")
    script.ok("start b")
    assert.deepStrictEqual(script.fail("start c"), ["stop b"])
    assert.deepStrictEqual(script.ok("stop b"), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["end BootFailed c"])
  })

  it("a failed start of a temporary child fails the boot as any other", () => {
    const script = new Script({ members: [temporary("t")] })
    assert.deepStrictEqual(script.fail("start t"), ["end BootFailed t"])
  })

  it("a child that dies during the boot is dealt with after it, as its exit waits in OTP's mailbox", () => {
    const script = new Script({ members: abc })
    script.ok("start a")
    assert.deepStrictEqual(script.crash("a"), [])
    assert.deepStrictEqual(script.ok("release a"), [])
    assert.deepStrictEqual(script.ok("start b"), ["start c"])
    assert.deepStrictEqual(script.ok("start c"), ["booted", "ask a"])
    assert.deepStrictEqual(script.settle(), ["start a"])
  })

  it("two children that die during the boot of a group are one entry", () => {
    const script = new Script({ strategy: "oneForAll", intensity: intensity(1), members: abc })
    script.ok("start a")
    script.ok("start b")
    script.crash("a")
    script.crash("b")
    assert.deepStrictEqual(script.ok("start c"), ["booted", "ask a", "stop c"])
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b running", "c running"])
  })

  it("oneForOne: a resource that dies during the boot and a later sibling that did are one entry and one restart", () => {
    const members = [resource("pool"), permanent("a"), permanent("b")]
    const script = new Script({ intensity: intensity(1), members })
    script.ok("start pool")
    script.ok("start a")
    script.crash("pool")
    script.crash("a")
    assert.deepStrictEqual(script.ok("start b"), ["booted", "ask pool", "stop b"])
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start a", "start b"])
  })

  it("a boot that fails does not stop a child again that is dead already", () => {
    const script = new Script({ members: abc })
    script.ok("start a")
    script.ok("start b")
    script.crash("b")
    assert.deepStrictEqual(script.fail("start c"), [])
    assert.deepStrictEqual(script.ok("release b"), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["end BootFailed c"])
  })

  it("a stop during the boot interrupts the start and stops the others in reverse", () => {
    const script = new Script({ members: abc })
    script.ok("start a")
    script.ok("start b")
    assert.deepStrictEqual(script.stop(), ["stop c"])
    assert.deepStrictEqual(script.settle(), ["stop b", "stop a", "end Requested stop"])
  })

  it("a child that is terminated while it starts is interrupted, and the boot goes on", () => {
    const script = new Script({ members: abc })
    script.ok("start a")
    assert.deepStrictEqual(script.terminate("b", 1), ["stop b", "start c"])
    assert.deepStrictEqual(script.ok("stop b"), ["reply 1 Done"])
    assert.deepStrictEqual(script.ok("start c"), ["booted"])
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
  })

  it("a child that is terminated before its turn is passed over, unless its start is asked for", () => {
    const script = new Script({ members: [permanent("a"), permanent("b"), temporary("t"), permanent("c")] })
    assert.deepStrictEqual(script.terminate("b", 1), ["reply 1 Done"])
    assert.deepStrictEqual(script.terminate("t", 2), ["forget t", "reply 2 Done"])
    assert.deepStrictEqual(script.park("c", 3), ["reply 3 Done"])
    assert.deepStrictEqual(script.restart("c", 4), ["reply 4 ChildRestarting"])
    assert.deepStrictEqual(script.settle(), ["start c", "booted"])
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
    assert.deepStrictEqual(script.restart("b", 5), ["start b"])
    assert.deepStrictEqual(script.ok("start b"), ["reply 5 Done"])
  })

  it("a child that is up is terminated and started at once; a start that fails does not end the boot", () => {
    const script = new Script({ members: [permanent("a"), permanent("b")] })
    script.ok("start a")
    assert.deepStrictEqual(script.restart("a", 1), ["reply 1 ChildRunning"])
    assert.deepStrictEqual(script.restart("b", 2), ["reply 2 ChildRestarting"])
    assert.deepStrictEqual(script.terminate("a", 3), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["reply 3 Done"])
    assert.deepStrictEqual(script.restart("a", 4), ["start a"])
    assert.deepStrictEqual(script.fail("start a"), ["reply 4 StartFailed no start a"])
    assert.deepStrictEqual(script.restart("a", 5), ["start a"])
    assert.deepStrictEqual(script.ok("start b"), ["booted"])
    assert.deepStrictEqual(script.ok("start a"), ["reply 5 Done"])
  })

  it("a child that has ended during the boot and is then terminated does not come back", () => {
    const script = new Script({ intensity: { max: 0, withinMillis: 1 }, members: [permanent("a"), permanent("b")] })
    script.ok("start a")
    script.crash("a")
    assert.deepStrictEqual(script.children(), ["a restarting", "b starting"])
    assert.deepStrictEqual(script.restart("a", 1), ["reply 1 ChildRestarting"])
    assert.deepStrictEqual(script.terminate("a", 2), [])
    assert.deepStrictEqual(script.ok("release a"), ["reply 2 Done"])
    assert.deepStrictEqual(script.ok("start b"), ["booted"])
    assert.deepStrictEqual(script.children(), ["a stopped", "b running"])
  })

  it("requests during a boot that fails are answered", () => {
    const script = new Script({ members: abc })
    script.ok("start a")
    script.ok("start b")
    script.terminate("a", 1)
    script.terminate("b", 2)
    script.restart("a", 3)
    script.ok("stop b")
    script.restart("b", 4)
    assert.deepStrictEqual(script.fail("start c"), ["reply 4 SupervisorStopping", "stop b"])
    assert.deepStrictEqual(script.settle(), ["reply 1 Done", "reply 3 SupervisorStopping", "end BootFailed c"])
  })
})

describe("restart types", () => {
  const expectations = [
    ["permanent", true, true],
    ["permanent", false, true],
    ["transient", true, false],
    ["transient", false, true],
    ["temporary", true, false],
    ["temporary", false, false]
  ] as const
  for (const [restart, expected, again] of expectations) {
    it(`${restart}, ${expected ? "expected" : "unexpected"}: ${again ? "restarts" : "does not restart"}`, () =>
      assert.strictEqual(restartsAfter(restart, expected), again))
  }

  const strategies = ["oneForOne", "oneForAll", "restForOne"] as const
  const group = {
    oneForOne: ["ask b", "start b"],
    oneForAll: ["ask b", "stop d", "stop c", "forget c", "stop a", "start a", "start b", "start d"],
    restForOne: ["ask b", "stop d", "stop c", "forget c", "start b", "start d"]
  }
  for (const strategy of strategies) {
    for (const [restart, expected, again] of expectations) {
      const log = again ? group[strategy] : restart === "temporary" ? ["forget b"] : []
      it(`${strategy}, ${restart} b ends ${expected ? "well" : "badly"}: ${log.join(", ") || "nothing"}`, () => {
        const b = { kind: "child", id: "b", restart, significant: false } as const
        const script = booted({ strategy, members: [permanent("a"), b, temporary("c"), permanent("d")] })
        script[expected ? "finish" : "crash"]("b")
        script.settle()
        assert.deepStrictEqual(script.log, log)
      })
    }
  }

  it("#148 a transient child that ends well stays in the list, and restartChild revives it", () => {
    const script = booted({ members: [transient("a")] })
    script.finish("a")
    script.settle()
    assert.deepStrictEqual(script.children(), ["a stopped"])
    assert.deepStrictEqual(script.restart("a"), ["start a"])
    assert.deepStrictEqual(script.ok("start a"), ["reply 1 Done"])
    assert.deepStrictEqual(script.children(), ["a running"])
  })

  it("#149 a transient child that crashes is restarted", () => {
    const script = booted({ members: [transient("a")] })
    script.crash("a")
    assert.deepStrictEqual(script.settle(), ["start a"])
  })

  for (const end of ["finish", "crash"] as const) {
    it(`#150 a temporary child is out of the list after its end (${end})`, () => {
      const script = booted({ members: [temporary("a")] })
      script[end]("a")
      assert.deepStrictEqual(script.settle(), ["forget a"])
      assert.deepStrictEqual(script.children(), [])
      assert.deepStrictEqual(script.restart("a"), ["reply 1 ChildNotFound"])
    })
  }
})

describe("strategies", () => {
  it("#153 oneForOne restarts only that child; above the intensity the supervisor ends", () => {
    const script = booted({ intensity: intensity(2), members: [permanent("a"), permanent("b")] })
    for (const id of ["a", "b"]) {
      script.crash(id)
      assert.deepStrictEqual(script.settle(), [`start ${id}`])
    }
    script.log.length = 0
    script.crash("a")
    script.settle()
    assert.deepStrictEqual(script.log, ["stop b", "end RestartLimit a intensity 3"])
  })

  it("#154 oneForAll restarts both; above the intensity the supervisor ends", () => {
    const script = booted({
      strategy: "oneForAll",
      intensity: intensity(2),
      members: [permanent("a"), permanent("b")]
    })
    script.crash("a")
    assert.deepStrictEqual(script.settle(), ["start a", "start b"])
    script.crash("b")
    assert.deepStrictEqual(script.settle(), ["stop a", "start a", "start b"])
    assert.deepStrictEqual(script.crash("a"), ["stop b"])
    assert.deepStrictEqual(script.settle(), ["end RestartLimit a intensity 3"])
  })

  it("#156 restForOne stops the later ones last first, starts them in order, and all stop in reverse order", () => {
    const ids = ["c1", "c5", "c2", "c4", "c3"]
    const script = new Script({ strategy: "restForOne", members: ids.map(permanent) })
    assert.deepStrictEqual(script.settle(), [...ids.slice(1).map((id) => `start ${id}`), "booted"])
    script.log.length = 0
    script.crash("c2")
    script.settle()
    assert.deepStrictEqual(script.log, ["ask c2", "stop c3", "stop c4", "start c2", "start c4", "start c3"])
    script.log.length = 0
    script.stop()
    script.settle()
    assert.deepStrictEqual(script.log, [...ids.toReversed().map((id) => `stop ${id}`), "end Requested stop"])
  })

  it("#157 a failed group restart stops the restarted child first", () => {
    const script = booted({ strategy: "oneForAll", members: [permanent("a"), permanent("b")] })
    script.crash("a")
    script.ok("ask a")
    script.ok("stop b")
    script.ok("release a")
    script.ok("start a")
    assert.deepStrictEqual(script.fail("start b"), ["ask b", "stop a"])
    assert.deepStrictEqual(script.ok("ask b"), [])
    assert.deepStrictEqual(script.ok("stop a"), ["start a"])
    assert.deepStrictEqual(script.settle(), ["start b"])
  })

  it("#158 a failed restForOne restart retries from the failing child; earlier ones of it stay up", () => {
    const script = booted({ strategy: "restForOne", members: abc })
    script.crash("a")
    script.ok("ask a")
    script.ok("stop c")
    script.ok("stop b")
    script.ok("release a")
    script.ok("start a")
    assert.deepStrictEqual(script.fail("start b"), ["ask b"])
    assert.deepStrictEqual(script.settle(), ["start b", "start c"])
  })

  it("a failed oneForOne restart retries that child", () => {
    const script = booted({ members: abc })
    script.crash("b")
    script.ok("release b")
    script.ok("ask b")
    assert.deepStrictEqual(script.fail("start b"), ["ask b"])
    assert.deepStrictEqual(script.settle(), ["start b"])
  })

  it("#162 a group restart brings back children that were stopped or had ended well", () => {
    const script = booted({ strategy: "oneForAll", members: [permanent("a"), transient("b"), permanent("c")] })
    script.finish("b")
    script.terminate("c")
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c stopped"])
    script.crash("a")
    assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c"])
  })

  it("restForOne leaves earlier children that are down alone", () => {
    const script = booted({ strategy: "restForOne", members: abc })
    script.terminate("a")
    script.settle()
    script.crash("b")
    assert.deepStrictEqual(script.settle(), ["start b", "start c"])
    assert.deepStrictEqual(script.children(), ["a stopped", "b running", "c running"])
  })

  it("a group is stopped one at a time, and starts only when the crashed child is released and the answer is there", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    assert.deepStrictEqual(script.crash("b"), ["ask b", "stop c"])
    assert.deepStrictEqual(script.ok("stop c"), [])
    assert.deepStrictEqual(script.ok("release b"), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), [])
    assert.deepStrictEqual(script.children(), ["a restarting", "b restarting", "c restarting"])
    assert.deepStrictEqual(script.ok("ask b", 250), ["sleep b 250"])
    assert.deepStrictEqual(script.ok("sleep b"), ["start a"])
    assert.deepStrictEqual(script.settle(), ["start b", "start c"])
  })

  it("a temporary child of the group is shown until it is stopped, and not as restarting", () => {
    const script = booted({ strategy: "oneForAll", members: [permanent("a"), temporary("t"), permanent("c")] })
    script.crash("a")
    assert.deepStrictEqual(script.children(), ["a restarting", "t running", "c restarting"])
    script.ok("stop c")
    assert.deepStrictEqual(script.children(), ["a restarting", "t stopping", "c restarting"])
    script.ok("stop t")
    assert.deepStrictEqual(script.children(), ["a restarting", "c restarting"])
  })

  it("an answer that comes while the group still stops is kept", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.crash("a")
    assert.deepStrictEqual(script.ok("ask a", 250), [])
    script.ok("release a")
    script.ok("stop c")
    assert.deepStrictEqual(script.ok("stop b"), ["sleep a 250"])
  })
})

describe("resources", () => {
  const members = [permanent("a"), resource("pool"), permanent("b"), transient("c")]

  for (const strategy of ["oneForOne", "restForOne"] as const) {
    it(`${strategy}: the end of a resource restarts it and every later sibling, who let go of it first`, () => {
      const script = booted({ strategy, members })
      script.finish("pool")
      script.settle()
      assert.deepStrictEqual(script.log, [
        ...["ask pool", "stop c", "stop b", "stop pool"],
        ...["start pool", "start b", "start c"]
      ])
    })
  }

  it("oneForAll: the end of a resource restarts all", () => {
    const script = booted({ strategy: "oneForAll", members })
    script.finish("pool")
    script.settle()
    assert.deepStrictEqual(script.log, [
      ...["ask pool", "stop c", "stop b", "stop pool", "stop a"],
      ...["start a", "start pool", "start b", "start c"]
    ])
  })

  it("oneForOne: a later sibling that was stopped stays so", () => {
    const script = booted({ members })
    script.terminate("b")
    script.settle()
    script.crash("pool")
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start c"])
  })

  it("oneForOne: a later sibling waiting for its delay comes back with the resource, once", () => {
    const script = booted({ members })
    script.crash("b")
    script.ok("release b")
    script.ok("ask b", 10_000)
    assert.deepStrictEqual(script.crash("pool"), ["cancel b", "ask pool", "stop c"])
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start b", "start c"])
  })

  it("oneForOne: a start that fails after the resource is back holds no sibling up", () => {
    const script = booted({ members })
    script.crash("pool")
    for (const key of ["ask pool", "stop c", "stop b", "stop pool", "start pool"]) script.ok(key)
    assert.deepStrictEqual(script.fail("start b"), ["ask b", "start c"])
    assert.deepStrictEqual(script.settle(), ["start b"])
  })

  it("a resource that does not come back is retried before any later sibling starts", () => {
    const script = booted({ members })
    script.crash("pool")
    for (const key of ["ask pool", "stop c", "stop b", "stop pool"]) script.ok(key)
    assert.deepStrictEqual(script.fail("start pool"), ["ask pool"])
    assert.deepStrictEqual(script.settle(), ["start pool", "start b", "start c"])
  })

  it("a later sibling is not started by hand while the resource is away: it joins the restart", () => {
    const script = booted({ members })
    script.terminate("c", 1)
    script.settle()
    script.crash("pool")
    assert.deepStrictEqual(script.restart("c", 2), ["reply 2 ChildRestarting"])
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start b", "start c"])
  })

  it("the end of a later sibling is waited for before the resource is released, though it is not restarted", () => {
    const script = booted({ members })
    script.finish("c")
    script.crash("pool")
    assert.deepStrictEqual(script.ok("ask pool"), [])
    assert.deepStrictEqual(script.ok("release c"), ["stop b"])
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start b"])
  })

  it("a resource that ended during the boot is released when later siblings have let go of it", () => {
    const script = new Script({ members: [resource("pool"), permanent("a")] })
    script.ok("start pool")
    assert.deepStrictEqual(script.crash("pool"), [])
    assert.deepStrictEqual(script.ok("start a"), ["booted", "ask pool", "stop a"])
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start a"])
  })

  it("a resource that ended while the supervisor ends is released in its turn", () => {
    const script = booted({ members: [resource("pool"), permanent("a")] })
    assert.deepStrictEqual(script.stop(), ["stop a"])
    assert.deepStrictEqual(script.crash("pool"), [])
    assert.deepStrictEqual(script.settle(), ["stop pool", "end Requested stop"])
  })
})

describe("a resource that is rebuilt with its holders", () => {
  const members = [permanent("a"), resource("pool", "withHolder"), permanent("b"), transient("c")]

  for (const strategy of ["oneForOne", "restForOne"] as const) {
    it(`${strategy}: the crash of a later sibling restarts it, and all who hold it, as one failure`, () => {
      const script = booted({ strategy, intensity: intensity(1), members })
      script.crash("b")
      script.settle()
      assert.deepStrictEqual(script.log, ["ask b", "stop c", "stop pool", "start pool", "start b", "start c"])
      script.crash("c")
      assert.deepStrictEqual(script.settle(), ["stop b", "stop pool", "stop a", "end RestartLimit c intensity 2"])
    })
  }

  it("an earlier sibling holds nothing of it", () => {
    const script = booted({ members })
    script.crash("a")
    assert.deepStrictEqual(script.settle(), ["start a"])
  })

  it("an expected end that is followed by a restart says nothing of it; that of a supervisor that gave up does", () => {
    const script = booted({ members })
    script.finish("b")
    assert.deepStrictEqual(script.settle(), ["start b"])
    script.log.length = 0
    const at = { child: 2, incarnation: 2 }
    script.send({ _tag: "ChildExited", ...at, expected: true, failed: true, exit: "gave up" })
    script.send({ _tag: "ChildStopped", ...at })
    script.settle()
    assert.deepStrictEqual(script.log, ["ask b", "stop c", "stop pool", "start pool", "start b", "start c"])
  })

  it("a start that fails again rebuilds it each time, until the supervisor gives up", () => {
    const script = booted({ intensity: intensity(2), members: [resource("pool", "withHolder"), permanent("b")] })
    script.crash("b")
    for (const key of ["release b", "ask b", "stop pool", "start pool"]) script.ok(key)
    assert.deepStrictEqual(script.fail("start b"), ["ask b", "stop pool"])
    for (const key of ["ask b", "stop pool", "start pool"]) script.ok(key)
    assert.deepStrictEqual(script.fail("start b"), ["stop pool"])
    assert.deepStrictEqual(script.settle(), ["end RestartLimit b intensity 3"])
  })

  it("of several each that the child holds is rebuilt, and what lies between", () => {
    const both = [resource("one", "withHolder"), permanent("x"), resource("two"), permanent("b")]
    const script = booted({ members: both })
    script.crash("b")
    assert.deepStrictEqual(script.settle(), [
      ...["stop two", "stop x", "stop one"],
      ...["start one", "start x", "start two", "start b"]
    ])
  })

  it("a later resource that does not come back is such a holder; its watch alone is no sign", () => {
    const script = booted({ members: [resource("one", "withHolder"), resource("two")] })
    script.finish("two")
    for (const key of ["ask two", "stop two"]) script.ok(key)
    assert.deepStrictEqual(script.fail("start two"), ["ask two", "stop one"])
    assert.deepStrictEqual(script.settle(), ["start one", "start two"])
  })

  it("the crash of a temporary child, which nobody starts again, leaves it alone", () => {
    const script = booted({ members: [resource("pool", "withHolder"), temporary("t"), permanent("b")] })
    script.crash("t")
    assert.deepStrictEqual(script.settle(), ["forget t"])
  })
})

describe("a failed start that is not released in time", () => {
  it("is a failure of its own, and the next attempt waits for it again", () => {
    const script = booted({ members: abc })
    script.crash("b")
    for (const key of ["release b", "ask b"]) script.ok(key)
    const at = { child: 1, incarnation: 2 }
    assert.deepStrictEqual(script.send({ _tag: "ReleaseTimedOut", ...at, exit: "overdue" }), ["ask b"])
    assert.deepStrictEqual(script.ok("ask b"), ["stop b"])
    assert.deepStrictEqual(script.ok("stop b"), ["start b"])
  })

  it("fails the boot, which does not wait for it", () => {
    const script = new Script({ members: abc })
    script.ok("start a")
    const at = { child: 1, incarnation: 1 }
    assert.deepStrictEqual(script.send({ _tag: "ReleaseTimedOut", ...at, exit: "overdue" }), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["end BootFailed b"])
  })
})

describe("restarts that meet", () => {
  it("oneForOne: one child waiting for its delay does not hold up another", () => {
    const script = booted({ members: abc })
    script.crash("a")
    script.ok("release a")
    script.ok("ask a", 10_000)
    script.crash("c")
    script.ok("release c")
    assert.deepStrictEqual(script.ok("ask c"), ["start c"])
    script.ok("start c")
    assert.deepStrictEqual(script.children(), ["a restarting", "b running", "c running"])
    assert.deepStrictEqual(script.ok("sleep a"), ["start a"])
  })

  it("oneForOne: a sibling that stops slowly does not hold up another's restart", () => {
    const script = booted({ members: abc })
    script.terminate("c")
    script.crash("a")
    script.ok("ask a")
    assert.deepStrictEqual(script.ok("release a"), ["start a"])
  })

  it("an answer or the end of a delay that nobody waits for changes nothing", () => {
    const script = booted({ members: abc })
    script.crash("a")
    assert.deepStrictEqual(script.send({ _tag: "DelayPassed", restart: 1 }), [])
    script.ok("ask a", 100)
    assert.deepStrictEqual(script.ok("release a"), ["sleep a 100"])
    const exhausted = { _tag: "Exhausted", attempts: 1 } as const
    assert.deepStrictEqual(script.send({ _tag: "ScheduleAnswered", restart: 1, answer: exhausted }), [])
    assert.deepStrictEqual(script.ok("sleep a"), ["start a"])
  })

  it("an earlier sibling's crash during the delay absorbs the pending restart", () => {
    const script = booted({ strategy: "restForOne", members: abc })
    script.crash("c")
    script.ok("release c")
    assert.deepStrictEqual(script.ok("ask c", 1000), ["sleep c 1000"])
    assert.deepStrictEqual(script.crash("a"), ["cancel c", "ask a", "stop b"])
    script.send({ _tag: "DelayPassed", restart: 1 })
    assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c"])
  })

  it("the schedule's answer for an absorbed restart changes nothing, not even an exhausted one", () => {
    const script = booted({ strategy: "restForOne", members: abc })
    script.crash("c")
    script.crash("b")
    assert.deepStrictEqual(script.fail("ask c"), [])
    assert.deepStrictEqual(script.settle(), ["start b", "start c"])
  })

  it("a crash during a restart's starts interrupts the start under way and begins anew", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.crash("a")
    for (const key of ["ask a", "release a", "stop c", "stop b", "start a"]) script.ok(key)
    assert.deepStrictEqual(script.pending(), ["start b"])
    assert.deepStrictEqual(script.crash("a"), ["stop b", "ask a"])
    assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c"])
  })

  it("a start that fails or succeeds just before it is interrupted makes no difference", () => {
    for (const crossed of ["StartFailed", "ChildStarted"] as const) {
      const script = booted({ strategy: "oneForAll", members: abc })
      script.crash("a")
      for (const key of ["ask a", "release a", "stop c", "stop b", "start a"]) script.ok(key)
      script.crash("a")
      assert.deepStrictEqual(script.send({ _tag: crossed, child: 1, incarnation: 2, exit: "crossed" }), [])
      assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c"])
    }
  })

  it("#326 a sibling that ends while its group is being stopped is no further entry", () => {
    const script = booted({ strategy: "oneForAll", intensity: intensity(1), members: abc })
    script.crash("a")
    assert.deepStrictEqual(script.crash("b"), [])
    assert.deepStrictEqual(script.crash("c"), [])
    assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c"])
  })

  it("#326 under oneForOne each counts", () => {
    const script = booted({ intensity: intensity(1), members: abc })
    script.crash("a")
    assert.deepStrictEqual(script.crash("b"), ["stop c"])
    assert.deepStrictEqual(script.settle(), ["end RestartLimit b intensity 2"])
  })

  it("#325 max 3 and a start that always fails: exactly 3 further starts", () => {
    const script = booted({ intensity: intensity(3), members: [permanent("a")] })
    script.crash("a")
    script.ok("release a")
    for (const _ of [1, 2, 3]) {
      script.ok("ask a")
      script.fail("start a")
    }
    assert.deepStrictEqual(script.log.filter((words) => words === "start a").length, 3)
    assert.deepStrictEqual(script.log.at(-1), "end RestartLimit a intensity 4")
  })

  it("#164 failures outside each other's window never add up", () => {
    const script = booted({ intensity: { max: 1, withinMillis: 1000 }, members: [permanent("a")] })
    for (const _ of [1, 2, 3, 4]) {
      script.now += 2100
      script.crash("a")
      assert.deepStrictEqual(script.settle(), ["start a"])
    }
  })

  it("intensity 0: the first failure ends the supervisor", () => {
    const script = booted({ intensity: intensity(0), members: [permanent("a")] })
    assert.deepStrictEqual(script.crash("a"), [])
    assert.deepStrictEqual(script.ok("release a"), ["end RestartLimit a intensity 1"])
  })

  it("an exhausted schedule ends the supervisor, at once and in reverse order", () => {
    const script = booted({ members: abc })
    script.crash("b")
    assert.deepStrictEqual(script.fail("ask b"), ["stop c"])
    assert.deepStrictEqual(script.settle(), ["stop a", "end RestartLimit b schedule 7"])
  })

  it("a child that does not count for the intensity has its schedule alone", () => {
    const uncounted = { ...permanent("a"), counted: false }
    const script = booted({ intensity: intensity(1), members: [uncounted, permanent("b")] })
    for (const _ of [1, 2, 3]) {
      script.crash("a")
      assert.deepStrictEqual(script.settle(), ["start a"])
    }
    script.crash("b")
    assert.deepStrictEqual(script.settle(), ["start b"])
    script.crash("a")
    script.settle()
    assert.deepStrictEqual(script.crash("b"), [])
    assert.deepStrictEqual(script.settle(), ["stop a", "end RestartLimit b intensity 2"])
  })

  it("the schedule is not asked about a failure above the intensity", () => {
    const script = booted({ intensity: intensity(0), members: abc })
    assert.deepStrictEqual(script.crash("b"), ["stop c"])
  })

  it("an answer of an old incarnation or an unknown child or restart changes nothing", () => {
    const script = booted({ members: abc })
    script.crash("a")
    script.settle()
    const before = script.state
    for (const at of [
      { child: 0, incarnation: 1 },
      { child: 0, incarnation: 3 },
      { child: 9, incarnation: 0 }
    ]) {
      assert.deepStrictEqual(script.send({ _tag: "ChildStarted", ...at }), [])
      assert.deepStrictEqual(script.send({ _tag: "ChildStopped", ...at }), [])
      assert.deepStrictEqual(script.send({ _tag: "StartFailed", ...at, exit: "old" }), [])
      assert.deepStrictEqual(script.send({ _tag: "ReleaseTimedOut", ...at, exit: "old" }), [])
      assert.deepStrictEqual(
        script.send({ _tag: "ChildExited", ...at, expected: false, failed: true, exit: "old" }),
        []
      )
    }
    for (const restart of [0, 1, 2]) {
      assert.deepStrictEqual(script.send({ _tag: "DelayPassed", restart }), [])
      const answer = { _tag: "Exhausted", attempts: 1 } as const
      assert.deepStrictEqual(script.send({ _tag: "ScheduleAnswered", restart, answer }), [])
    }
    assert.deepStrictEqual(script.state, before)
  })
})

describe("zombies", () => {
  it("a dead child that is not released in time is a failure; the next attempt stops it again", () => {
    const script = booted({ intensity: intensity(2), members: [permanent("a")] })
    script.crash("a")
    script.ok("ask a")
    assert.deepStrictEqual(script.fail("release a"), ["ask a"])
    assert.deepStrictEqual(script.ok("ask a", 100), ["sleep a 100"])
    assert.deepStrictEqual(script.ok("sleep a"), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["start a"])
  })

  it("released during the delay, it is started without being stopped again", () => {
    const script = booted({ members: [permanent("a")] })
    script.crash("a")
    script.ok("ask a")
    script.fail("release a")
    script.ok("ask a", 100)
    assert.deepStrictEqual(script.send({ _tag: "ChildStopped", child: 0, incarnation: 1 }), [])
    assert.deepStrictEqual(script.ok("sleep a"), ["start a"])
  })

  it("each time it is not released counts, until the supervisor gives up and leaves it behind", () => {
    const script = booted({ intensity: intensity(2), members: [permanent("a"), permanent("b")] })
    script.crash("b")
    script.ok("ask b")
    script.fail("release b")
    script.ok("ask b")
    assert.deepStrictEqual(script.fail("stop b"), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["end RestartLimit b intensity 3"])
  })

  it("an earlier sibling of its group is not stopped before it is released", () => {
    const script = booted({ strategy: "oneForAll", members: [permanent("a"), resource("pool"), permanent("c")] })
    script.crash("a")
    script.ok("release a")
    script.ok("ask a")
    assert.deepStrictEqual(script.fail("stop c"), ["ask c"])
    assert.deepStrictEqual(script.ok("ask c"), ["stop c"])
    assert.deepStrictEqual(script.ok("stop c"), ["stop pool"])
    assert.deepStrictEqual(script.settle(), ["start a", "start pool", "start c"])
  })

  it("oneForOne: it counts against its resource's restart, which still waits for everybody else", () => {
    const members = [resource("pool"), permanent("a"), transient("b")]
    const script = booted({ members })
    script.finish("b")
    script.crash("pool")
    script.crash("a")
    assert.deepStrictEqual(script.fail("release a"), ["ask a"])
    assert.deepStrictEqual(script.ok("ask a"), [])
    assert.deepStrictEqual(script.ok("release b"), ["stop a"])
    assert.deepStrictEqual(script.fail("ask pool"), [])
    assert.deepStrictEqual(script.settle(), ["stop pool", "start pool", "start a"])
  })

  it("a temporary zombie is dropped and holds nobody up", () => {
    const script = booted({ strategy: "oneForAll", members: [permanent("a"), temporary("t")] })
    script.crash("a")
    script.ok("release a")
    script.ok("ask a")
    assert.deepStrictEqual(script.fail("stop t"), ["forget t", "start a"])
  })

  it("terminateChild is done with a zombie, and restartChild fails until it is gone", () => {
    const script = booted({ members: [permanent("a")] })
    script.terminate("a", 1)
    assert.deepStrictEqual(script.fail("stop a"), ["reply 1 Done"])
    assert.deepStrictEqual(script.children(), ["a stopped"])
    assert.deepStrictEqual(script.restart("a", 2), ["reply 2 StartFailed late stop a"])
    assert.deepStrictEqual(script.terminate("a", 3), ["reply 3 Done"])
    script.send({ _tag: "ChildStopped", child: 0, incarnation: 1 })
    assert.deepStrictEqual(script.restart("a", 4), ["start a"])
  })

  it("the end of the supervisor does not wait for a zombie twice", () => {
    const script = booted({ members: [permanent("a"), permanent("b")] })
    script.stop()
    assert.deepStrictEqual(script.fail("stop b"), ["stop a"])
    assert.deepStrictEqual(script.fail("stop a"), ["end Requested stop"])
  })
})

describe("validate", () => {
  const options = (patch: Partial<Options>): Options => ({
    strategy: "oneForOne",
    autoShutdown: "never",
    intensity: undefined,
    members: [],
    ...patch
  })

  it("gives sound options back", () => {
    const sound = options({ autoShutdown: "anySignificant", members: [transient("a", true), temporary("b", true)] })
    assert.strictEqual(checkOptions(sound), sound)
  })

  it("#128 refuses an id used twice", () => {
    assert.throws(
      () => checkOptions(options({ members: [permanent("a"), resource("a")] })),
      RangeError,
      `"a" has the id of another child`
    )
  })

  it("#129 refuses a significant child without autoShutdown, and a significant permanent one", () => {
    assert.throws(() => checkOptions(options({ members: [transient("a", true)] })), RangeError, "autoShutdown")
    const child = { kind: "child", id: "a", restart: "permanent", significant: true } as const
    const permanents = options({ autoShutdown: "allSignificant", members: [child] })
    assert.throws(() => checkOptions(permanents), RangeError, "permanent")
  })

  it("refuses an intensity that makes no sense, where it is defined and where it is booted", () => {
    const wrong = options({ intensity: { max: -1, withinMillis: 1 } })
    assert.throws(() => checkOptions(wrong), RangeError, "max")
    assert.throws(() => boot(wrong), RangeError, "max")
  })
})

it("decide leaves the state it is given as it was", () => {
  const [state] = boot<string>({
    strategy: "oneForAll",
    autoShutdown: "never",
    intensity: { max: 3, withinMillis: 5 },
    members: abc
  })
  const before = structuredClone(state)
  decide(state, { _tag: "ChildStarted", child: 0, incarnation: 1 }, 0)
  decide(state, { _tag: "StopRequested", reason: "stop" }, 0)
  assert.deepStrictEqual(state, before)
})

it("#128 refuses a strategy, an autoShutdown and a restart type there is none of", () => {
  const options = { strategy: "oneForOne", autoShutdown: "never", intensity: undefined, members: [] } as const
  const child = { kind: "child", id: "a", significant: false } as const
  // Options that JavaScript could pass: an object that is spread into the options keeps their type.
  const given = (wrong: object) => () => checkOptions({ ...options, ...wrong })
  assert.throws(
    given({ strategy: "oneForNone" }),
    RangeError,
    'strategy must be one of oneForOne, oneForAll, restForOne, not "oneForNone"'
  )
  assert.throws(given({ autoShutdown: "always" }), RangeError, "autoShutdown must be one of")
  assert.throws(given({ members: [{ ...child, restart: "always" }] }), RangeError, "restart must be one of")
})

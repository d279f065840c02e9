import { assert, describe, it } from "@effect/vitest"
import { booted, permanent, resource, type Setup, temporary } from "./script.ts"

const abc = [permanent("a"), permanent("b"), permanent("c")]

describe("terminateChild", () => {
  it("#138 stops a child that is up, is done again on one that is down, and knows no other", () => {
    const script = booted({ members: abc })
    assert.deepStrictEqual(script.terminate("b", 1), ["stop b"])
    assert.deepStrictEqual(script.children(), ["a running", "b stopping", "c running"])
    assert.deepStrictEqual(script.ok("stop b"), ["reply 1 Done"])
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
    assert.deepStrictEqual(script.terminate("b", 2), ["reply 2 Done"])
    assert.deepStrictEqual(script.terminate("x", 3), ["reply 3 ChildNotFound"])
  })

  it("drops a temporary child", () => {
    const script = booted({ members: [temporary("t")] })
    script.terminate("t", 1)
    assert.deepStrictEqual(script.ok("stop t"), ["forget t", "reply 1 Done"])
    assert.deepStrictEqual(script.terminate("t", 2), ["reply 2 ChildNotFound"])
  })

  it("#165 cancels a pending restart, during the delay, the start or the answer", () => {
    const script = booted({ members: [permanent("a")] })
    script.crash("a")
    script.ok("release a")
    script.ok("ask a", 100)
    assert.deepStrictEqual(script.terminate("a", 1), ["cancel a", "reply 1 Done"])
    assert.deepStrictEqual(script.children(), ["a stopped"])

    script.restart("a", 2)
    script.ok("start a")
    script.crash("a")
    script.ok("release a")
    script.ok("ask a")
    assert.deepStrictEqual(script.terminate("a", 3), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["reply 3 Done"])

    script.restart("a", 4)
    script.ok("start a")
    script.crash("a")
    assert.deepStrictEqual(script.terminate("a", 5), [])
    assert.deepStrictEqual(script.ok("release a"), ["reply 5 Done"])
    assert.deepStrictEqual(script.fail("ask a"), [])
    assert.deepStrictEqual(script.children(), ["a stopped"])
  })

  it("takes one child out of a group restart; the others come back", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.crash("b")
    assert.deepStrictEqual(script.terminate("b", 1), [])
    assert.deepStrictEqual(script.settle(), ["reply 1 Done", "stop a", "start a", "start c"])
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
  })

  it("takes out the child whose schedule is then exhausted: the others still come back", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.crash("b")
    script.terminate("b", 1)
    script.fail("ask b")
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
  })

  it("a child that crashes while it is stopped by hand is not restarted and not counted", () => {
    const script = booted({ intensity: { max: 0, withinMillis: 1 }, members: abc })
    script.terminate("b", 1)
    assert.deepStrictEqual(script.crash("b"), [])
    assert.deepStrictEqual(script.ok("stop b"), ["reply 1 Done"])
  })

  it("several requests for one child are each answered once", () => {
    const script = booted({ members: abc })
    script.terminate("b", 1)
    assert.deepStrictEqual(script.terminate("b", 2), [])
    assert.deepStrictEqual(script.ok("stop b"), ["reply 1 Done", "reply 2 Done"])
  })

  it("a group failure while a child stops by hand: the caller is told, and the child comes back with the group", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.terminate("c", 1)
    script.crash("a")
    assert.deepStrictEqual(script.ok("stop c"), ["reply 1 Done", "stop b"])
    assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c"])
  })

  it("a resource cannot be asked for", () => {
    const script = booted({ members: [resource("pool"), permanent("a")] })
    assert.deepStrictEqual(script.terminate("pool", 1), ["reply 1 ChildNotFound"])
    assert.deepStrictEqual(script.restart("pool", 2), ["reply 2 ChildNotFound"])
  })
})

describe("restartChild", () => {
  it("#138 starts only a child that is down", () => {
    const script = booted({ members: abc })
    assert.deepStrictEqual(script.restart("a", 1), ["reply 1 ChildRunning"])
    assert.deepStrictEqual(script.restart("x", 2), ["reply 2 ChildNotFound"])
    script.terminate("a", 3)
    script.ok("stop a")
    assert.deepStrictEqual(script.restart("a", 4), ["start a"])
    assert.deepStrictEqual(script.children(), ["a starting", "b running", "c running"])
    assert.deepStrictEqual(script.restart("a", 5), ["reply 5 ChildRestarting"])
    assert.deepStrictEqual(script.ok("start a"), ["reply 4 Done"])
  })

  it("#124 a failed start is told to the caller, counts nothing, and the child stays down", () => {
    const script = booted({ intensity: { max: 0, withinMillis: 1 }, members: abc })
    script.terminate("a", 1)
    script.ok("stop a")
    script.restart("a", 2)
    assert.deepStrictEqual(script.fail("start a"), ["reply 2 StartFailed no start a"])
    assert.deepStrictEqual(script.children(), ["a stopped", "b running", "c running"])
    script.restart("a", 3)
    assert.deepStrictEqual(script.ok("start a"), ["reply 3 Done"])
  })

  it("#165 during a restart loop it is told so", () => {
    const script = booted({ members: [permanent("a")] })
    script.crash("a")
    assert.deepStrictEqual(script.restart("a", 1), ["reply 1 ChildRestarting"])
    script.ok("release a")
    script.ok("ask a")
    assert.deepStrictEqual(script.restart("a", 2), ["reply 2 ChildRestarting"])
    script.fail("start a")
    assert.deepStrictEqual(script.restart("a", 3), ["reply 3 ChildRestarting"])
    assert.deepStrictEqual(script.children(), ["a restarting"])
  })

  it("waits for a child that is just stopping, as in the mailbox of OTP's supervisor", () => {
    const script = booted({ members: abc })
    script.terminate("a", 1)
    assert.deepStrictEqual(script.restart("a", 2), [])
    assert.deepStrictEqual(script.terminate("a", 3), [])
    assert.deepStrictEqual(script.ok("stop a"), ["reply 1 Done", "start a", "reply 2 StartInterrupted", "stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["reply 3 Done"])
    assert.deepStrictEqual(script.children(), ["a stopped", "b running", "c running"])
  })

  it("of a temporary child that is just stopping finds none", () => {
    const script = booted({ members: [temporary("t")] })
    script.finish("t")
    assert.deepStrictEqual(script.restart("t", 1), [])
    assert.deepStrictEqual(script.ok("release t"), ["forget t", "reply 1 ChildNotFound"])
  })

  it("terminateChild interrupts it and both are answered", () => {
    const script = booted({ members: abc })
    script.terminate("a", 1)
    script.ok("stop a")
    script.restart("a", 2)
    assert.deepStrictEqual(script.terminate("a", 3), ["reply 2 StartInterrupted", "stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["reply 3 Done"])
  })

  it("a group failure takes the start over", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.terminate("c", 1)
    script.ok("stop c")
    script.restart("c", 2)
    assert.deepStrictEqual(script.crash("a"), ["reply 2 ChildRestarting", "stop c", "ask a"])
    assert.deepStrictEqual(script.settle(), ["stop b", "start a", "start b", "start c"])
  })

  it("in a group that waits for its delay the child comes back with the group", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.crash("a")
    for (const key of ["release a", "stop c", "stop b"]) script.ok(key)
    script.ok("ask a", 100)
    script.terminate("a", 1)
    assert.deepStrictEqual(script.restart("a", 2), ["reply 2 ChildRestarting"])
    assert.deepStrictEqual(script.ok("sleep a"), ["start a"])
    assert.deepStrictEqual(script.settle(), ["start b", "start c"])
  })
})

describe("restartChild beside a restart it has no part in", () => {
  const start = (setup: Setup, crashed: string) => {
    const script = booted(setup)
    script.terminate("a", 1)
    script.settle()
    script.crash(crashed)
    return script.restart("a", 2)
  }

  it("oneForOne: starts at once", () => {
    assert.deepStrictEqual(start({ members: abc }, "b"), ["start a"])
    assert.deepStrictEqual(start({ members: abc.toReversed() }, "b"), ["start a"])
  })

  it("restForOne: an earlier child starts at once, a later one comes back with the group", () => {
    assert.deepStrictEqual(start({ strategy: "restForOne", members: abc }, "b"), ["start a"])
    const later = { strategy: "restForOne", members: abc.toReversed() } as const
    assert.deepStrictEqual(start(later, "b"), ["reply 2 ChildRestarting"])
  })

  it("oneForOne: a child earlier than the resource starts at once", () => {
    assert.deepStrictEqual(start({ members: [permanent("a"), resource("pool")] }, "pool"), ["start a"])
  })
})

describe("a parked child", () => {
  const group = { strategy: "oneForAll", members: abc } as const

  it("stays where it is when its group restarts, and belongs to it again once it was asked for", () => {
    const script = booted(group)
    assert.deepStrictEqual(script.park("b", 1), ["stop b"])
    assert.deepStrictEqual(script.ok("stop b"), ["reply 1 Done"])
    script.crash("a")
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
    assert.deepStrictEqual(script.restart("b", 2), ["start b"])
    assert.deepStrictEqual(script.ok("start b"), ["reply 2 Done"])
    script.terminate("b", 3)
    script.ok("stop b")
    script.crash("a")
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b running", "c running"])
  })

  it("leaves a group that is just restarting", () => {
    const script = booted(group)
    script.crash("a")
    script.park("c", 1)
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b running", "c stopped"])
  })

  it("of two who ask, the later one has it its way", () => {
    const script = booted(group)
    script.park("b", 1)
    script.restart("b", 2)
    assert.deepStrictEqual(script.ok("stop b"), ["reply 1 Done", "start b"])
    script.ok("start b")
    script.terminate("b", 3)
    script.restart("b", 4)
    script.park("b", 5)
    script.settle()
    assert.deepStrictEqual(script.children(), ["a running", "b stopped", "c running"])
  })
})

describe("a supervisor that is ending", () => {
  it("answers every request", () => {
    const script = booted({ members: abc })
    script.terminate("a", 1)
    script.ok("stop a")
    script.restart("a", 2)
    script.terminate("c", 3)
    script.restart("c", 4)
    assert.deepStrictEqual(script.stop(), ["reply 2 SupervisorStopping", "stop a"])
    assert.deepStrictEqual(script.terminate("b", 5), ["reply 5 SupervisorStopping"])
    assert.deepStrictEqual(script.ok("stop c"), ["reply 3 Done", "reply 4 SupervisorStopping", "stop b"])
    assert.deepStrictEqual(script.settle(), ["end Requested stop"])
    assert.deepStrictEqual(script.restart("b", 6), ["reply 6 SupervisorStopping"])
  })
})

describe("a request that waits until a child is up", () => {
  it("is answered at once by one that is, and starts one that is down", () => {
    const script = booted({ members: abc })
    assert.deepStrictEqual(script.up("a", 1), ["reply 1 Done"])
    script.park("a", 2)
    assert.deepStrictEqual(script.up("a", 3), [])
    assert.deepStrictEqual(script.ok("stop a"), ["reply 2 Done", "start a"])
    assert.deepStrictEqual(script.up("a", 4), [])
    assert.deepStrictEqual(script.ok("start a"), ["reply 3 Done", "reply 4 Done"])
  })

  it("waits for the group of the child", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.park("c", 1)
    script.ok("stop c")
    script.crash("a")
    assert.deepStrictEqual(script.up("c", 2), [])
    assert.deepStrictEqual(script.settle(), ["start a", "start b", "start c", "reply 2 Done"])
  })

  it("is told of the first start that fails: the child is parked, and nothing is counted", () => {
    const script = booted({ strategy: "oneForAll", intensity: { max: 1, withinMillis: 1 }, members: abc })
    script.park("c", 1)
    script.ok("stop c")
    script.crash("a")
    script.up("c", 2)
    script.ok("release a")
    script.ok("ask a")
    script.ok("stop b")
    script.ok("start a")
    script.ok("start b")
    assert.deepStrictEqual(script.fail("start c"), ["reply 2 StartFailed no start c"])
    assert.deepStrictEqual(script.children(), ["a running", "b running", "c stopped"])
    assert.deepStrictEqual(script.pending(), [])
  })

  it("is answered if the child is told to stop, and if the supervisor ends", () => {
    const script = booted({ members: abc })
    script.park("a", 1)
    script.ok("stop a")
    script.up("a", 2)
    assert.deepStrictEqual(script.park("a", 3), ["reply 2 StartInterrupted", "stop a"])
    script.ok("stop a")
    script.up("a", 4)
    assert.deepStrictEqual(script.stop(), ["reply 4 SupervisorStopping", "stop a", "stop c"])
  })
})

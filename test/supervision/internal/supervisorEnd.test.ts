import { assert, describe, it } from "@effect/vitest"
import type { Member, Options } from "../../../src/supervision/internal/group/group.ts"
import { booted, permanent, resource, Script, temporary, transient } from "./script.ts"

const abc = [permanent("a"), permanent("b"), permanent("c")]

describe("stop", () => {
  it("stops in reverse order, one at a time", () => {
    const script = booted({ members: [resource("pool"), ...abc] })
    assert.deepStrictEqual(script.stop(), ["stop c"])
    assert.deepStrictEqual(script.ok("stop c"), ["stop b"])
    assert.deepStrictEqual(script.ok("stop b"), ["stop a"])
    assert.deepStrictEqual(script.ok("stop a"), ["stop pool"])
    assert.deepStrictEqual(script.ok("stop pool"), ["end Requested stop"])
  })

  it("#166 in the middle of a restart loop: a start is interrupted", () => {
    const script = booted({ members: [permanent("a"), permanent("b")] })
    script.crash("a")
    script.ok("release a")
    script.ok("ask a")
    script.fail("start a")
    script.ok("ask a")
    assert.deepStrictEqual(script.stop(), ["stop a", "stop b"])
    assert.deepStrictEqual(script.settle(), ["end Requested stop"])
  })

  it("#166 in the middle of a restart loop: a delay is cancelled", () => {
    const script = booted({ members: [permanent("a"), permanent("b")] })
    script.crash("a")
    script.ok("release a")
    script.ok("ask a", 60_000)
    assert.deepStrictEqual(script.stop(), ["cancel a", "stop b"])
    assert.deepStrictEqual(script.settle(), ["end Requested stop"])
  })

  it("during a group stop goes on where it is", () => {
    const script = booted({ strategy: "oneForAll", members: abc })
    script.crash("a")
    assert.deepStrictEqual(script.stop(), [])
    assert.deepStrictEqual(script.ok("stop c"), ["stop b"])
    script.ok("stop b")
    assert.deepStrictEqual(script.ok("release a"), ["end Requested stop"])
  })

  it("#174 siblings that end by themselves meanwhile are not restarted", () => {
    const siblings = [permanent("p"), transient("r"), temporary("t")]
    for (const end of ["crash", "finish"] as const) {
      const script = booted({ intensity: { max: 0, withinMillis: 1 }, members: [...siblings, permanent("slow")] })
      script.stop()
      for (const { id } of siblings) assert.deepStrictEqual(script[end](id), [])
      for (const { id } of siblings) script.ok(`release ${id}`)
      assert.deepStrictEqual(script.ok("stop slow"), ["end Requested stop"])
    }
  })

  it("the first reason counts", () => {
    const script = booted({ members: [permanent("a")] })
    script.stop("first")
    assert.deepStrictEqual(script.stop("second"), [])
    assert.deepStrictEqual(script.ok("stop a"), ["end Requested first"])
    assert.deepStrictEqual(script.stop("third"), [])
  })
})

describe("autoShutdown", () => {
  const modes = ["never", "anySignificant", "allSignificant"] as const
  const start = (autoShutdown: Options["autoShutdown"], members: ReadonlyArray<Member>) =>
    booted({ autoShutdown, members })

  for (const mode of modes) {
    for (const member of [temporary("a"), transient("a")]) {
      for (const end of ["crash", "finish", "terminate"] as const) {
        it(`#177 ${mode}: a nonsignificant child shuts nothing down (${member.id}, ${end})`, () => {
          const script = start(mode, [member, permanent("b")])
          script[end]("a")
          script.settle()
          assert.isTrue(script.children().includes("b running"))
        })
      }
    }
  }

  for (const end of ["crash", "finish"] as const) {
    it(`#178 anySignificant: a significant temporary child that ends (${end}) shuts all down`, () => {
      const script = start("anySignificant", [permanent("a"), temporary("b", true), permanent("c")])
      assert.deepStrictEqual(script[end]("b"), ["stop c"])
      assert.deepStrictEqual(script.settle(), ["forget b", "stop a", "end AutoShutdown b"])
    })

    it(`#178 allSignificant: only the last significant child that ends (${end}) shuts all down`, () => {
      const script = start("allSignificant", [permanent("a"), temporary("b", true), temporary("c", true)])
      script[end]("c")
      assert.deepStrictEqual(script.settle(), ["forget c"])
      script[end]("b")
      assert.deepStrictEqual(script.settle(), ["forget b", "stop a", "end AutoShutdown b"])
    })
  }

  it("#178 a significant transient child: expected end yes, crash no", () => {
    const script = start("anySignificant", [transient("a", true)])
    script.crash("a")
    assert.deepStrictEqual(script.settle(), ["start a"])
    script.finish("a")
    assert.deepStrictEqual(script.settle(), ["end AutoShutdown a"])
  })

  for (const mode of ["anySignificant", "allSignificant"] as const) {
    it(`#332 ${mode}: terminateChild of a significant child, or its restart, shuts nothing down`, () => {
      const script = start(mode, [transient("a", true), temporary("b", true), permanent("c")])
      for (const id of ["a", "b"]) {
        script.terminate(id)
        script.settle()
      }
      script.restart("a")
      script.settle()
      assert.deepStrictEqual(script.children(), ["a running", "c running"])
    })
  }

  it("#178 allSignificant: one stopped by hand does not count as active", () => {
    const script = start("allSignificant", [transient("a", true), transient("b", true)])
    script.terminate("a")
    script.settle()
    script.finish("b")
    assert.deepStrictEqual(script.settle(), ["end AutoShutdown b"])
  })

  it("#178 anySignificant: the first of two is enough", () => {
    const script = start("anySignificant", [transient("a", true), transient("b", true)])
    script.finish("a")
    assert.deepStrictEqual(script.log, ["stop b"])
  })

  it("never: not even a child that says it is significant", () => {
    const script = start("never", [transient("a", true)])
    script.finish("a")
    assert.deepStrictEqual(script.settle(), [])
  })

  it("allSignificant: one that restartChild is just starting counts as active", () => {
    const script = start("allSignificant", [transient("a", true), transient("b", true)])
    script.terminate("a")
    script.settle()
    script.restart("a")
    script.finish("b")
    assert.deepStrictEqual(script.settle(), ["reply 1 Done"])
  })

  it("allSignificant: a temporary one that its group is about to stop does not count as active", () => {
    const members = [transient("x", true), permanent("a"), temporary("z", true), permanent("b")]
    const script = booted({ strategy: "restForOne", autoShutdown: "allSignificant", members })
    assert.deepStrictEqual(script.crash("a"), ["ask a", "stop b"])
    script.finish("x")
    assert.deepStrictEqual(script.settle(), ["stop z", "forget z", "end AutoShutdown x"])
  })

  it("allSignificant: one that is restarting counts as active", () => {
    const script = start("allSignificant", [transient("a", true), transient("b", true)])
    script.crash("a")
    script.ok("release a")
    script.ok("ask a", 100)
    script.finish("b")
    script.ok("release b")
    assert.deepStrictEqual(script.children(), ["a restarting", "b stopped"])
    script.ok("sleep a")
    script.ok("start a")
    assert.deepStrictEqual(script.finish("a"), [])
    assert.deepStrictEqual(script.ok("release a"), ["end AutoShutdown a"])
  })

  for (const mode of ["anySignificant", "allSignificant"] as const) {
    for (const strategy of ["oneForOne", "oneForAll", "restForOne"] as const) {
      it(`#181 ${strategy}, ${mode}: significant bystanders of a group restart shut nothing down`, () => {
        const members = [transient("x", true), permanent("a"), transient("y", true), temporary("z", true)]
        const script = booted({ strategy, autoShutdown: mode, members })
        script.crash("a")
        // They may also end by themselves before they are told to stop.
        if (strategy !== "oneForOne") script.finish("y")
        script.settle()
        assert.isTrue(script.children().includes("a running"))
        assert.isTrue(script.children().includes("y running"))
      })
    }
  }

  it("a significant child that ended during the boot shuts the supervisor down after it", () => {
    const members = [transient("a", true), permanent("b")]
    const script = new Script({ autoShutdown: "anySignificant", members })
    script.ok("start a")
    assert.deepStrictEqual(script.finish("a"), [])
    assert.deepStrictEqual(script.ok("start b"), ["booted", "stop b"])
    assert.deepStrictEqual(script.settle(), ["end AutoShutdown a"])
  })
})

import { assert, describe, it } from "@effect/vitest"
import {
  begun,
  decide,
  type Action,
  type Event,
  type SingleChild
} from "../../../src/supervision/internal/core/singleChild.ts"
import type { Restart } from "../../../src/supervision/RestartPolicy.ts"

const crash: Event<string> = { _tag: "ChildExited", expected: false, exit: "crash" }
const finish: Event<string> = { _tag: "ChildExited", expected: true, exit: "normal" }
const started: Event<string> = { _tag: "ChildStarted" }
const notStarted: Event<string> = { _tag: "StartFailed", exit: "no start" }
const stopped: Event<string> = { _tag: "ChildStopped" }
const late: Event<string> = { _tag: "ReleaseTimedOut", exit: "late" }
const stop: Event<string> = { _tag: "StopRequested" }
const allowed = (ticket = 1): Event<string> => ({ _tag: "RestartAllowed", ticket })
const delay = (millis: number, ticket = 1): Event<string> => ({
  _tag: "ScheduleAnswered",
  ticket,
  answer: { _tag: "Delay", millis }
})
const exhausted = (ticket = 1): Event<string> => ({
  _tag: "ScheduleAnswered",
  ticket,
  answer: { _tag: "Exhausted", attempts: 7 }
})
const passed = (ticket = 1): Event<string> => ({ _tag: "DelayPassed", ticket })

/** The words for the actions that follow these events. */
const run = (restart: Restart, ...events: ReadonlyArray<Event<string>>): ReadonlyArray<string> => {
  let child: SingleChild<string> = begun
  return events.map((event) => {
    const [next, actions] = decide(child, event, restart)
    child = next
    return actions.map(say).join(", ")
  })
}

const after = (restart: Restart, ...events: ReadonlyArray<Event<string>>): SingleChild<string> =>
  events.reduce((child: SingleChild<string>, event) => decide(child, event, restart)[0], begun)

const say = (action: Action<string>): string => {
  switch (action._tag) {
    case "Failed":
    case "NotStarted":
      return `${action._tag} ${action.exit}`
    case "Ask":
      return `Ask ${action.exit} ${action.ticket}`
    case "Sleep":
      return `Sleep ${action.millis}`
    case "GiveUp":
      return `GiveUp ${action.exit} ${action.attempts}`
    default:
      return action._tag
  }
}

describe("a child by itself", () => {
  it("#140 that crashes is counted, its schedule is asked, and it starts once it is released", () => {
    assert.deepStrictEqual(run("permanent", started, crash, allowed(), delay(0), stopped, started), [
      "",
      "Failed crash",
      "Ask crash 1",
      "",
      "Start",
      ""
    ])
    assert.deepStrictEqual(after("permanent", started, crash, allowed(), delay(0), stopped, started), {
      incarnation: 2,
      state: { _tag: "Up" },
      restart: undefined
    })
  })

  it("waits for the release, the schedule and then the delay, in whatever order the first two come", () => {
    const expected = "Sleep 100"
    assert.strictEqual(run("permanent", started, crash, allowed(), delay(100), stopped).at(-1), expected)
    assert.strictEqual(run("permanent", started, crash, allowed(), stopped, delay(100)).at(-1), expected)
    assert.strictEqual(run("permanent", started, crash, stopped, allowed(), delay(100)).at(-1), expected)
    assert.strictEqual(run("permanent", started, crash, allowed(), delay(100), stopped, passed()).at(-1), "Start")
  })

  it("#148-#150 by restart type and ending", () => {
    const restarts = (type: Restart, end: Event<string>) => run(type, started, end)[1] !== ""
    assert.deepStrictEqual(
      (["permanent", "transient", "temporary"] as const).map((type) => [
        type,
        restarts(type, crash),
        restarts(type, finish)
      ]),
      [
        ["permanent", true, true],
        ["transient", true, false],
        ["temporary", false, false]
      ]
    )
  })

  it("#144 that is not restarted is forgotten once it is released, or when that takes too long", () => {
    assert.deepStrictEqual(run("temporary", started, crash, stopped), ["", "", "Forget"])
    assert.deepStrictEqual(run("temporary", started, crash, late, stopped), ["", "", "Forget", ""])
  })

  it("#121 whose first start fails is the affair of whoever asked for it", () => {
    assert.deepStrictEqual(run("permanent", notStarted, stopped), ["NotStarted no start", ""])
  })

  it("#197 a restart that fails is a failure of its own, and is tried again", () => {
    assert.deepStrictEqual(
      run("permanent", started, crash, allowed(1), delay(0, 1), stopped, notStarted, allowed(2), delay(0, 2)),
      ["", "Failed crash", "Ask crash 1", "", "Start", "Failed no start", "Ask no start 2", "Start"]
    )
  })

  it("whose schedule has no more to say gives up", () => {
    assert.deepStrictEqual(run("permanent", started, crash, allowed(), exhausted()).at(-1), "GiveUp crash 7")
  })

  it("an answer with another ticket changes nothing", () => {
    const child = after("permanent", started, crash, allowed(2))
    for (const event of [delay(0, 1), exhausted(1), passed(2), allowed(3), started]) {
      assert.deepStrictEqual(decide(child, event, "permanent"), [child, []])
    }
  })
})

describe("a child that is not released in time", () => {
  it("is a failure of its own; the delay passes, then it is waited for again", () => {
    const failed = [started, crash, allowed(1), delay(0, 1), late] as const
    assert.strictEqual(run("permanent", ...failed).at(-1), "Failed late")
    const again = [...failed, allowed(2), delay(100, 2), passed(2)] as const
    assert.deepStrictEqual(run("permanent", ...again).slice(-3), ["Ask late 2", "Sleep 100", "AwaitRelease"])
    assert.strictEqual(run("permanent", ...again, stopped).at(-1), "Start")
    assert.strictEqual(run("permanent", ...again, late).at(-1), "Failed late")
  })

  it("starts when it ends after all while its delay passes", () => {
    const events = [started, crash, allowed(1), delay(0, 1), late, allowed(2), delay(100, 2), stopped, passed(2)]
    assert.deepStrictEqual(run("permanent", ...events).slice(-3), ["Sleep 100", "", "Start"])
  })

  it("while its schedule is still asked: what the schedule says then is of no account", () => {
    const child = after("permanent", started, crash, allowed(1), late)
    assert.deepStrictEqual(decide(child, delay(0, 1), "permanent"), [child, []])
    assert.strictEqual(run("permanent", started, crash, allowed(1), late, allowed(2)).at(-1), "Ask late 2")
  })
})

describe("a child that is told to stop", () => {
  const moments: Record<string, ReadonlyArray<Event<string>>> = {
    "while it starts": [],
    "while it is up": [started],
    "while its failure is looked at": [started, crash],
    "while its schedule is asked": [started, crash, allowed()],
    "while it is released": [started, crash, allowed(), delay(100)],
    "during its delay": [started, crash, allowed(), stopped, delay(100)],
    "while it starts again": [started, crash, allowed(), stopped, delay(0)],
    "after it was not released in time": [started, crash, allowed(), delay(0), late]
  }
  for (const [moment, events] of Object.entries(moments)) {
    it(`#165 ${moment}: ends, and is never started again`, () => {
      const child = after("permanent", ...events, stop)
      assert.deepStrictEqual(
        [child.state._tag, child.restart, run("permanent", ...events, stop).at(-1)],
        ["Stopping", undefined, "Stop"]
      )
      for (const event of [allowed(), delay(0), passed(), started, crash, exhausted()]) {
        assert.deepStrictEqual(decide(child, event, "permanent"), [child, []])
      }
      for (const event of [stopped, late])
        assert.deepStrictEqual(decide(child, event, "permanent")[1], [{ _tag: "Forget" }])
    })
  }

  it("after it was forgotten: nothing", () => {
    assert.deepStrictEqual(run("permanent", started, stop, stopped, stop), ["", "Stop", "Forget", ""])
  })
})

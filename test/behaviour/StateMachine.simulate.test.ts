/** State machines without a process: simulations and diagrams. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as fs from "node:fs"
import * as path from "node:path"
import { StateMachine } from "effect-otp"
import { ExitReason } from "effect-otp/kernel"

const { elapse, fail, keep, message, next, perform, postpone, reply, simulate, step, toMermaid } = StateMachine

class Wrong extends Schema.TaggedError<Wrong>()("Wrong", { tries: Schema.Finite }) {}

type State =
  | { readonly _tag: "Locked"; readonly tries: number }
  | { readonly _tag: "Checking"; readonly from: StateMachine.From<boolean, Wrong>; readonly tries: number }
  | { readonly _tag: "Open" }
  | { readonly _tag: "Broken" }
type Event = { readonly _tag: "Checked"; readonly right: boolean } | { readonly _tag: "AutoLock" }

class Door extends StateMachine.Service<Door, Event>()("test/SimulatedDoor", [
  Rpc.make("unlock", { payload: { code: Schema.String }, success: Schema.Boolean, error: Wrong }),
  StateMachine.cast("push"),
  StateMachine.cast("kick"),
  StateMachine.cast("demolish")
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed<State>({ _tag: "Locked", tries: 0 }),
    common: {
      demolish: () => StateMachine.stop(ExitReason.shutdown("demolished")),
      Checked: () => keep(),
      AutoLock: () => keep(),
      kick: () => keep()
    },
    states: {
      Locked: {
        unlock: ({ code }, { tries }, { from }) =>
          code === ""
            ? keep([fail(new Wrong({ tries }))])
            : next({ _tag: "Checking", from, tries }, [
                perform("check", Effect.succeed<Event>({ _tag: "Checked", right: true }))
              ]),
        push: () => keep([postpone]),
        kick: () => {
          throw new Error("it hurts")
        }
      },
      Checking: {
        unlock: () => keep([postpone]),
        push: () => keep([postpone]),
        Checked: ({ right }, { from, tries }) =>
          right
            ? next({ _tag: "Open" }, [StateMachine.replyTo(from, true)])
            : next({ _tag: "Locked", tries: tries + 1 }, [StateMachine.failTo(from, new Wrong({ tries: tries + 1 }))])
      },
      Open: {
        onEnter: () => keep([StateMachine.stateTimeout("10 seconds", { _tag: "AutoLock" })]),
        unlock: () => keep([reply(true)]),
        push: () => next({ _tag: "Locked", tries: 0 }),
        AutoLock: () => next({ _tag: "Locked", tries: 0 })
      },
      Broken: { unlock: () => keep([reply(true)]), push: () => keep() }
    }
  })
}

const locked: State = { _tag: "Locked", tries: 0 }
const unlock = message("unlock", { code: "1234" })
const push = message("push")

describe("simulate", () => {
  it("gives states, answers, timers and effects", () => {
    const run = simulate(Door.definition, {
      from: locked,
      events: [push, message("unlock", { code: "" }), unlock, unlock],
      results: { check: { _tag: "Checked", right: true } }
    })
    const ways = run.handled.map(({ in: before, state }) => `${before._tag} → ${state._tag}`)
    // The push on the locked door opens nothing. It comes again and shuts the open door.
    assert.deepStrictEqual(ways, [
      "Locked → Locked",
      "Locked → Locked",
      "Locked → Checking",
      "Checking → Open",
      "Open → Locked",
      "Locked → Checking",
      "Checking → Open"
    ])
    assert.deepStrictEqual(run.replies, [
      { request: "unlock", index: 1, exit: Exit.fail(new Wrong({ tries: 0 })) },
      { request: "unlock", index: 2, exit: Exit.succeed(true) },
      { request: "unlock", index: 3, exit: Exit.succeed(true) }
    ])
    assert.deepStrictEqual(run.performed, ["check", "check"])
    assert.deepStrictEqual(run.state, { _tag: "Open" })
    assert.deepStrictEqual(run.timers, [
      { timer: StateMachine.stateTimer, event: { _tag: "AutoLock" }, left: Duration.seconds(10) }
    ])
  })

  it("without a result an effect gives no event; the test does", () => {
    const asked = simulate(Door.definition, { from: locked, events: [unlock, push] })
    assert.strictEqual(asked.state._tag, "Checking")
    assert.deepStrictEqual(JSON.stringify(asked.postponed), '[{"_tag":"push"}]')
    assert.deepStrictEqual(asked.replies, [])
    const wrong = step(asked, { _tag: "Checked", right: false })
    assert.deepStrictEqual(wrong.state, { _tag: "Locked", tries: 1 })
    assert.deepStrictEqual(wrong.replies, [{ request: "unlock", index: 0, exit: Exit.fail(new Wrong({ tries: 1 })) }])
    // A simulation is a value: the first has not changed.
    assert.strictEqual(asked.state._tag, "Checking")
  })

  it("time passes only by elapse, and timers fire when it has come", () => {
    for (const never of [-1, "Infinity"] as const) assert.throws(() => elapse(never), RangeError)
    const open = simulate(Door.definition, { from: { _tag: "Open" }, events: [elapse("9 seconds")] })
    assert.strictEqual(open.state._tag, "Open")
    assert.deepStrictEqual(open.timers[0]?.left, Duration.seconds(1))
    const shut = step(open, elapse("1 hour"))
    assert.deepStrictEqual(shut.state, locked)
    assert.strictEqual(shut.handled.at(-1)?.afterMillis, 10_000)
    assert.deepStrictEqual(shut.timers, [])
  })

  it("ends with a stop, and handles nothing after it; a handler that throws makes it throw", () => {
    const run = simulate(Door.definition, { from: locked, events: [message("demolish"), unlock] })
    assert.deepStrictEqual(run.stopped, Option.some(ExitReason.shutdown("demolished")))
    assert.strictEqual(run.handled.length, 1)
    assert.throws(() => simulate(Door.definition, { from: locked, events: [message("kick")] }), "it hurts")
  })

  it("carries out the actions that start lists", () => {
    const from = StateMachine.start({ _tag: "Locked", tries: 0 }, [StateMachine.insert(push)])
    assert.strictEqual(simulate(Door.definition, { from, events: [] }).postponed.length, 1)
  })

  it("timers that are due together fire in the order they were set", () => {
    type Only = { readonly _tag: "Only"; readonly seen: ReadonlyArray<string> }
    type Tick = { readonly _tag: "Tick"; readonly name: string }
    class Clock extends StateMachine.Service<Clock, Tick>()("test/SimulatedClock", []) {
      static readonly definition = this.define({
        init: () => Effect.succeed<Only>({ _tag: "Only", seen: [] }),
        states: { Only: { Tick: ({ name }, { seen }) => next({ _tag: "Only", seen: [...seen, name] }) } }
      })
    }
    const tick = (name: string, delay: number) => StateMachine.timeout(name, delay, { _tag: "Tick", name } as const)
    const first: Only = { _tag: "Only", seen: [] }
    const from = StateMachine.start(first, [tick("c", 20), tick("b", 10), tick("a", 10), tick("zero", 0)])
    assert.deepStrictEqual(simulate(Clock.definition, { from, events: [elapse(20)] }).state.seen, [
      "zero",
      "b",
      "a",
      "c"
    ])
  })
})

it("a message may have the name of any property of an object", () => {
  class Odd extends StateMachine.Service<Odd>()("test/Odd", [StateMachine.cast("toString"), StateMachine.cast("a")]) {
    static readonly definition = this.define({
      init: () => Effect.succeed<{ readonly _tag: "constructor" }>({ _tag: "constructor" }),
      common: { toString: () => StateMachine.stop(ExitReason.normal), a: () => keep() },
      // The compiler takes an inherited property of an object for a handler.
      states: { constructor: {} as never }
    })
  }
  const run = simulate(Odd.definition, { from: { _tag: "constructor" }, events: [message("toString")] })
  assert.deepStrictEqual(run.stopped, Option.some(ExitReason.normal))
  assert.throws(() => StateMachine.Service<never>()("test/Bad", [StateMachine.cast("onEnter")]), RangeError)
  assert.throws(() => StateMachine.timeout("t", -1, message("a")), RangeError)
})

describe("toMermaid", () => {
  const events = [unlock, push, { _tag: "Checked", right: true }, { _tag: "Checked", right: false }] as const

  it("draws what samples and timers cause, and names the events that were never handled", () => {
    assert.deepStrictEqual(toMermaid(Door.definition, { from: [locked], events, limit: 100 }).split("\n"), [
      "stateDiagram-v2",
      "  Locked",
      "  Checking",
      "  Open",
      "  Broken",
      "  [*] --> Locked",
      "  Locked --> Checking: unlock",
      "  Checking --> Open: Checked",
      "  Checking --> Locked: Checked",
      "  Open --> Locked: push",
      "  Open --> Locked: AutoLock after 10 s",
      "  Locked: postpones push",
      "  Checking: postpones unlock, push",
      "  %% never handled: kick, demolish",
      "  %% given up after 100 situations"
    ])
  })

  it("draws ends, and crashes as ends", () => {
    const lines = toMermaid(Door.definition, { from: [locked], events: [message("kick"), message("demolish")] })
    assert.include(lines, "  Locked --> [*]: kick (crashes)\n  Locked --> [*]: demolish")
  })

  it("the picture in the guide is the one its example checks", () => {
    const page = fs.readFileSync(path.join(import.meta.dirname, "../../docs/guide/07-state-machines.md"), "utf8")
    assert.strictEqual(/```mermaid\n(.*?)\n```/s.exec(page)?.[1], /const expected = `(.*?)`/s.exec(page)?.[1])
  })

  it("the order of the lines is that of the definition and of the samples", () => {
    assert.strictEqual(
      toMermaid(Door.definition, { from: [locked], events, limit: 50 }),
      toMermaid(Door.definition, { from: [locked], events, limit: 50 })
    )
  })
})

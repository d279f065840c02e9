/**
 * The order of events of state machines: compared with OTP's and with a plain model.
 *
 * `gen_statem.jsonl` holds what `gen_statem` of OTP 25.2 logged for random scripts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { type Choices, forAll } from "../../fixtures/property.ts"
import { model, play, type Script, type Step } from "./machineScript.ts"

const recorded = fs
  .readFileSync(path.join(import.meta.dirname, "gen_statem.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Script & { readonly log: ReadonlyArray<string> })

const draw = ({ chance, int, pick, size }: Choices): Script => {
  let id = 100
  const length = 2 + Math.ceil(size / 4)
  const list = <A>(most: number, one: () => A): ReadonlyArray<A> => Array.from({ length: int(most + 1) }, one)
  const timer = () => {
    const name = pick(["state", "event", "a", "b"])
    const verb = pick(["set", "set", "set", "set", "cancel", "update"])
    if (verb === "cancel") return `cancel ${name}`
    return verb === "update"
      ? `update ${name} ${id++}`
      : `set ${name} ${pick(["0", "0", "3600000", "infinity"])} ${id++}`
  }
  const action = (): string => (chance(0.3) ? "postpone" : chance(0.3) ? `insert ${id++}` : timer())
  const way = () => pick(["keep", "keep", "repeat", "s0", "s1", "s2"])
  return {
    script: list(length, (): Step => [way(), ...list(4, action)]),
    enters: list(length, () => list(2, timer)),
    init: list(2, () => (chance(0.5) ? `insert ${id++}` : timer())),
    events: int(length)
  }
}

describe("the order of events", () => {
  it.each(recorded.map((script, index) => [index + 1, script] as const))(
    "is that of gen_statem, run %i",
    (_, script) => {
      assert.deepStrictEqual(play(script), script.log)
    }
  )

  it("the model says the same as gen_statem", () => {
    for (const script of recorded) assert.deepStrictEqual(model(script), script.log)
  })

  it("is that of the model, for any script", () => {
    forAll((choices) => {
      const script = draw(choices)
      assert.deepStrictEqual(play(script), model(script), JSON.stringify(script))
    })
  })

  it("100,000 postponed events come again in order, in no more than linear time", () => {
    const count = 100_000
    const script = [...Array.from({ length: count }, () => ["keep", "postpone"]), ["s1"]]
    const log = play({ script, enters: [], init: [], events: count + 1 })
    assert.strictEqual(log.length, 2 * count + 3)
    assert.deepStrictEqual([log.at(-count), log.at(-1)], ["s1 1", `s1 ${count}`])
  })

  it("#289 inserted events come first, then postponed ones; a zero event timeout is lost to them", () => {
    const script = {
      script: [
        ["keep", "postpone"],
        ["keep", "postpone"],
        ["s1", "insert 3", "insert 4", "set event 0 9"]
      ],
      enters: [],
      init: [],
      events: 3
    }
    const [, first, second, third, , ...rest] = play(script)
    assert.deepStrictEqual([first, second, third], ["s0 1", "s0 2", "s0 3"])
    assert.deepStrictEqual(rest, ["s1 3", "s1 4", "s1 1", "s1 2"])
  })

  it("#290 zero timeouts come after inserted events, in the order set; a change of state ends the state timer", () => {
    const play1 = (...actions: ReadonlyArray<string>) =>
      play({ script: [["s1", ...actions]], enters: [], init: ["set state 0 7", "set state 3600000 8"], events: 1 })
    assert.deepStrictEqual(play1("set state 0 2", "insert 3", "set a 0 4"), [
      "s0 entered from s0",
      "s0 1",
      "s1 entered from s0",
      "s1 3",
      "s1 2",
      "s1 4"
    ])
    assert.deepStrictEqual(play1("set state 0 2", "set event 0 3").slice(3), ["s1 2"])
  })

  it("#294 named timers survive a change of state; the same name replaces; infinity ends; #292 update, cancel", () => {
    const timers = (...actions: ReadonlyArray<string>) =>
      play({ script: [["s1", ...actions], ["s2"]], enters: [], init: [], events: 2 }).filter((line) =>
        / \d\d$/.test(line)
      )
    assert.deepStrictEqual(timers("set a 0 10", "set b 0 11"), ["s1 10", "s2 11"])
    assert.deepStrictEqual(timers("set a 0 10", "set a 0 11"), ["s1 11"])
    assert.deepStrictEqual(timers("set a 0 10", "set a infinity 11"), [])
    assert.deepStrictEqual(timers("set a 0 10", "cancel a"), [])
    assert.deepStrictEqual(timers("update a 10"), ["s1 10"])
  })
})

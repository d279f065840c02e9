import { assert, describe, it } from "@effect/vitest"
import {
  begun,
  decide,
  type Action,
  type Event,
  type SingleChild
} from "../../../src/supervision/internal/core/singleChild.ts"
import type { Restart } from "../../../src/supervision/RestartPolicy.ts"
import { forAll, type Choices } from "../../fixtures/property.ts"

/** What really runs. `lingering` is dead and not released; `zombie` is past its limit. */
type Phase = "gone" | "starting" | "up" | "stopping" | "lingering" | "zombie" | "zombieAwaited"

/**
 * A child that randomly starts, fails, crashes, lingers and overstays; its schedule; an owner that counts; and a caller
 * that may stop it at any moment. Answers and decisions cross.
 */
class World {
  private child: SingleChild<string> = begun
  private readonly choices: Choices
  private readonly restart: Restart
  private phase: Phase = "starting"
  private readonly sent: Array<Event<string>> = []
  private asked: number | undefined = undefined
  private sleeping: number | undefined = undefined
  private isFailed = false
  private tickets = 0
  private starts = 1
  private failures = 0
  private causes = 0
  private told = false
  private gaveUp = false
  private forgotten = false
  private endedWell = false
  private calm = false

  constructor(choices: Choices) {
    this.choices = choices
    this.restart = choices.pick(["permanent", "permanent", "transient", "temporary"] as const)
  }

  /** Makes one possible thing happen. False if nothing is possible any more. */
  step(): boolean {
    const { chance, pick } = this.choices
    if (!this.calm && chance(0.1)) this.sendStale()
    if (!this.calm && chance(0.03)) this.stop()
    if (this.sent.length > 0 && chance(0.6)) return this.deliver()
    const possible = this.possible()
    if (possible.length === 0) return this.sent.length > 0 && this.deliver()
    pick(possible)()
    return true
  }

  stop(): void {
    this.sent.push({ _tag: "StopRequested" })
  }

  quiet(): void {
    this.calm = true
    for (let steps = 0; this.step(); steps++) assert.isBelow(steps, 1000, "it never becomes quiet")
    const { state } = this.child
    assert.include(["gone", "up"], this.phase)
    assert.strictEqual(state._tag === "Up", this.phase === "up", "the core is wrong about the child")
    assert.strictEqual(this.child.incarnation, this.starts)
    // Each failure is reported to the owner once. A schedule that is still being asked when the release takes too long
    // is ignored.
    assert.strictEqual(this.failures, this.causes)
    const isDown = this.told || this.gaveUp || this.forgotten
    if (!isDown) assert.strictEqual(state._tag, "Up", "nobody brings it back")
    if (this.forgotten) assert.strictEqual(state._tag, "Dropped")
    if (this.told) assert.isTrue(this.forgotten, "it was told to stop, and is still there")
    if (this.restart === "permanent" && this.starts > 1 && !this.told) assert.isFalse(this.forgotten)
    if (this.restart === "temporary") assert.strictEqual(this.starts, 1)
    if (this.restart === "transient" && this.endedWell && !this.told) assert.isTrue(this.forgotten)
  }

  private possible(): ReadonlyArray<() => void> {
    const possible = [...this.ofRun()]
    const { asked, sleeping } = this
    if (this.isFailed) possible.push(() => this.decideFailure())
    if (asked !== undefined) possible.push(() => this.judge(asked))
    if (sleeping !== undefined) {
      possible.push(() => {
        this.sleeping = undefined
        this.sent.push({ _tag: "DelayPassed", ticket: sleeping })
      })
    }
    return possible
  }

  private ofRun(): ReadonlyArray<() => void> {
    const { chance } = this.choices
    const become = (phase: Phase, event: Event<string>) => () => {
      this.phase = phase
      this.sent.push(event)
    }
    switch (this.phase) {
      case "gone":
        return []
      case "starting":
        return !this.calm && chance(0.3)
          ? [become("gone", { _tag: "StartFailed", exit: "no start" })]
          : [become("up", { _tag: "ChildStarted" })]
      case "up":
        return this.calm || chance(0.5) ? [] : [() => this.exit()]
      case "stopping":
      case "lingering":
      case "zombieAwaited":
        return !this.calm && chance(0.2)
          ? [become("zombie", { _tag: "ReleaseTimedOut", exit: "late" })]
          : [become("gone", { _tag: "ChildStopped" })]
      case "zombie":
        return [become("gone", { _tag: "ChildStopped" })]
    }
  }

  private exit(): void {
    this.phase = "lingering"
    const expected = this.choices.chance(0.4)
    this.sent.push({ _tag: "ChildExited", expected, exit: expected ? "normal" : "crash" })
  }

  private decideFailure(): void {
    this.isFailed = false
    if (!this.calm && this.choices.chance(0.05)) return this.giveUp()
    this.sent.push({ _tag: "RestartAllowed", ticket: ++this.tickets })
  }

  private judge(ticket: number): void {
    this.asked = undefined
    const isExhausted = !this.calm && this.choices.chance(0.05)
    const millis = this.choices.chance(0.5) ? 0 : 1 + this.choices.int(50)
    const answer = isExhausted ? ({ _tag: "Exhausted", attempts: 1 } as const) : ({ _tag: "Delay", millis } as const)
    this.sent.push({ _tag: "ScheduleAnswered", ticket, answer })
  }

  private giveUp(): void {
    this.gaveUp = true
    this.stop()
  }

  /** A stale answer may come at any time. */
  private sendStale(): void {
    const { child } = this
    for (const ticket of [0, this.tickets + 1]) {
      const answer = { _tag: "Exhausted", attempts: 1 } as const
      assert.deepStrictEqual(decide(child, { _tag: "ScheduleAnswered", ticket, answer }, this.restart), [child, []])
      assert.deepStrictEqual(decide(child, { _tag: "DelayPassed", ticket }, this.restart), [child, []])
    }
  }

  private deliver(): true {
    const event = this.sent.shift()!
    const before = JSON.stringify(this.child)
    const [child, actions] = decide(this.child, event, this.restart)
    assert.strictEqual(JSON.stringify(this.child), before, "it changed what it was given")
    this.count(event)
    if (event._tag === "StopRequested") this.told = true
    this.child = child
    for (const action of actions) this.act(action)
    return true
  }

  /** Counts what is a failure where the child stands. */
  private count(event: Event<string>): void {
    const { incarnation, state, restart } = this.child
    if (event._tag === "ChildExited" && state._tag === "Up") {
      this.endedWell = event.expected
      if (this.restart === "permanent" || (this.restart === "transient" && !event.expected)) this.causes++
    }
    if (event._tag === "StartFailed" && state._tag === "Starting" && incarnation > 1) this.causes++
    if (event._tag === "ReleaseTimedOut" && state._tag === "Stopping" && restart !== undefined) this.causes++
  }

  private act(action: Action<string>): void {
    assert.isFalse(this.forgotten, `${action._tag} for a child that is forgotten`)
    switch (action._tag) {
      case "Start":
        assert.strictEqual(this.phase, "gone", "started while its former run is there")
        assert.isFalse(this.told, "started after it was told to stop")
        this.phase = "starting"
        this.starts++
        return
      case "Stop":
        if (this.phase === "starting" || this.phase === "up") this.phase = "stopping"
        if (this.phase === "zombie") this.phase = "zombieAwaited"
        if (this.phase === "gone") this.sent.push({ _tag: "ChildStopped" })
        this.asked = this.sleeping = undefined
        return
      case "AwaitRelease":
        if (this.phase === "zombie") this.phase = "zombieAwaited"
        return
      case "Failed":
        this.failures++
        this.isFailed = true
        this.asked = this.sleeping = undefined
        return
      case "Ask":
        this.asked = action.ticket
        return
      case "Sleep":
        assert.isAbove(action.millis, 0)
        this.sleeping = action.ticket
        return
      case "GiveUp":
        return this.giveUp()
      case "NotStarted":
        assert.strictEqual(this.starts, 1)
        this.forgotten = true
        return
      case "Forget":
        // The report of a run that was not released in time may have crossed with the stop.
        assert.include(["gone", "zombie", "zombieAwaited"], this.phase)
        this.forgotten = true
        return
    }
  }
}

describe("a child by itself in a random world", () => {
  it("has one run at a time, comes back when it should, and ends when told to", () =>
    forAll((choices) => {
      const world = new World(choices)
      for (let steps = 10 + choices.size; steps > 0; steps--) world.step()
      world.quiet()
      world.stop()
      world.quiet()
    }))
})

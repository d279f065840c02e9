/**
 * A random world around the decision core: children that start, fail, crash, linger and overstay, schedules, and
 * callers with requests. It sends its events through a mailbox, so answers and decisions cross. It checks each action
 * against what really runs.
 */
import { assert } from "@effect/vitest"
import {
  type Action,
  boot,
  decide,
  type Event,
  type Member,
  type Options,
  type State,
  checkOptions
} from "../../../src/supervision/internal/group/group.ts"
import type { Choices } from "../../fixtures/property.ts"

/** What really runs of a child. `lingering` is dead and not released; `zombie` is past its limit. */
type Phase = "gone" | "starting" | "up" | "stopping" | "lingering" | "zombie" | "zombieToldAgain"

interface Life {
  incarnation: number
  phase: Phase
  /** Its latest end by itself was expected. */
  endedWell: boolean
  /** It had to be terminated, and has not been up since. */
  terminated: boolean
  /** A resource that has ended and was not yet told to stop. */
  broken: boolean
  forgotten: boolean
  /** It was told to stop before its turn in the boot. */
  passedOver: boolean
  /** It was then told to start after all. */
  cameBack: boolean
}

const randomMember = ({ chance, pick }: Choices, index: number, autoShutdown: Options["autoShutdown"]): Member => {
  const id = `c${index}`
  const counted = chance(0.8)
  if (chance(0.2)) return { kind: "resource", id, counted, rebuild: pick(["withHolder", "onWatch"] as const) }
  const restart = pick(["permanent", "permanent", "transient", "temporary"] as const)
  const significant = autoShutdown !== "never" && restart !== "permanent" && chance(0.5)
  return { kind: "child", id, restart, significant, counted }
}

export const randomOptions = (choices: Choices): Options => {
  const autoShutdown = choices.pick(["never", "never", "anySignificant", "allSignificant"] as const)
  const members = Array.from({ length: choices.int(6) }, (_, index) => randomMember(choices, index, autoShutdown))
  return checkOptions({
    strategy: choices.pick(["oneForOne", "oneForAll", "restForOne"] as const),
    autoShutdown,
    intensity: choices.chance(0.5) ? { max: choices.int(6), withinMillis: 1 + choices.int(100) } : undefined,
    members
  })
}

export class World {
  state: State<string>
  private readonly options: Options
  private readonly choices: Choices
  private readonly lives: Array<Life>
  private readonly mailbox: Array<Event<string>> = []
  private readonly asked = new Set<number>()
  private readonly sleeping = new Set<number>()
  private readonly requests = new Map<number, Extract<Event<string>, { readonly request: number }>>()
  private readonly failures: Array<number> = []
  private now = 0
  private nextRequest = 1
  private booted = false
  private ended = false
  private givenUp: number | undefined = undefined
  /** No new faults from now on. */
  private calm = false

  constructor(choices: Choices) {
    this.choices = choices
    this.options = randomOptions(choices)
    const life = {
      incarnation: 0,
      phase: "gone",
      endedWell: false,
      terminated: false,
      broken: false,
      forgotten: false,
      passedOver: false,
      cameBack: false
    } as const
    this.lives = this.options.members.map(() => ({ ...life }))
    const [state, actions] = boot<string>(this.options)
    this.state = deepFreeze(state)
    this.run(actions, state)
  }

  // ---- moving -----------------------------------------------------------------------------------------------------

  /** Makes one possible thing happen. False if nothing is possible any more. */
  step(): boolean {
    const { chance, int, pick } = this.choices
    this.now += int(10)
    if (!this.calm && chance(0.1)) this.disturb()
    if (!this.calm && chance(0.1)) this.sendStale()
    if (this.mailbox.length > 0 && chance(0.6)) {
      this.deliver(this.mailbox.shift()!)
      return true
    }
    const possible = this.possible()
    if (possible.length > 0) pick(possible)()
    else if (this.mailbox.length > 0) this.deliver(this.mailbox.shift()!)
    else return false
    return true
  }

  /** Runs until nothing more happens, without new faults. */
  quiet(): void {
    this.calm = true
    for (let steps = 0; this.step(); steps++) assert.isBelow(steps, 5000, "it never becomes quiet")
  }

  stop(): void {
    this.mailbox.push({ _tag: "StopRequested", reason: "stop" })
  }

  private possible(): ReadonlyArray<() => void> {
    const possible: Array<() => void> = []
    this.lives.forEach((life, child) => {
      const next = this.nextOf(life, child)
      if (next !== undefined) possible.push(next)
    })
    for (const restart of this.asked) possible.push(() => this.judge(restart))
    for (const restart of this.sleeping) {
      possible.push(() => {
        this.sleeping.delete(restart)
        this.mailbox.push({ _tag: "DelayPassed", restart })
      })
    }
    return possible
  }

  private nextOf(life: Life, child: number): (() => void) | undefined {
    const { chance } = this.choices
    const at = { child, incarnation: life.incarnation }
    const become = (phase: Phase, event: Event<string>) => () => {
      life.phase = phase
      this.mailbox.push(event)
    }
    const released = become("gone", { _tag: "ChildStopped", ...at })
    const overdue = become("zombie", { _tag: "ReleaseTimedOut", ...at, exit: "overdue" })
    switch (life.phase) {
      case "gone":
        return undefined
      case "starting":
        // It has failed, and is not released.
        if (!this.calm && chance(0.05)) return overdue
        return !this.calm && chance(0.3)
          ? become("gone", { _tag: "StartFailed", ...at, exit: "no start" })
          : become("up", { _tag: "ChildStarted", ...at })
      case "up":
        return this.calm || life.broken || chance(0.5) ? undefined : () => this.exit(life, child)
      case "stopping":
      case "lingering":
      case "zombieToldAgain":
        return !this.calm && chance(0.15) ? overdue : released
      case "zombie":
        return released
    }
  }

  private exit(life: Life, child: number): void {
    life.endedWell = this.choices.chance(0.4)
    // A resource is released only when it is told to stop, because others may still hold it.
    if (this.options.members[child]!.kind === "resource") life.broken = true
    else life.phase = "lingering"
    const { endedWell: expected, incarnation } = life
    // A supervisor that has given up ends with an expected reason, but has failed.
    const failed = !expected || this.choices.chance(0.2)
    this.mailbox.push({
      _tag: "ChildExited",
      child,
      incarnation,
      expected,
      failed,
      exit: expected ? "normal" : "crash"
    })
  }

  private judge(restart: number): void {
    this.asked.delete(restart)
    const exhausted = !this.calm && this.choices.chance(0.03)
    const millis = this.choices.chance(0.5) ? 0 : 1 + this.choices.int(50)
    const answer = exhausted ? ({ _tag: "Exhausted", attempts: 1 } as const) : ({ _tag: "Delay", millis } as const)
    this.mailbox.push({ _tag: "ScheduleAnswered", restart, answer })
  }

  private disturb(): void {
    const { chance, int, pick } = this.choices
    if (chance(0.05)) return this.stop()
    const request = this.nextRequest++
    const id = `c${int(this.options.members.length + 1)}`
    const event = {
      _tag: pick(["TerminateRequested", "RestartRequested", "ParkRequested", "UpRequested"] as const),
      request,
      id
    }
    this.requests.set(request, event)
    this.mailbox.push(event)
  }

  /** A stale answer may come at any time, and changes nothing. */
  private sendStale(): void {
    const { int, pick } = this.choices
    const child = int(this.options.members.length + 1)
    const incarnation = (this.state.children[child]?.incarnation ?? 1) - 1 - int(2)
    const current = this.restarts().map(({ restart }) => restart)
    const restart = int(this.state.lastRestart + 2)
    const childEvent = {
      _tag: pick(["ChildStarted", "StartFailed", "ChildExited", "ChildStopped", "ReleaseTimedOut"] as const),
      child,
      incarnation,
      expected: false,
      failed: true,
      exit: "stale"
    }
    const answer = { _tag: "Exhausted", attempts: 1 } as const
    const events: Array<Event<string>> = [childEvent]
    if (!current.includes(restart))
      events.push({ _tag: "DelayPassed", restart }, { _tag: "ScheduleAnswered", restart, answer })
    for (const event of events) {
      const [state, actions] = decide(this.state, event, this.now)
      assert.deepStrictEqual([state, actions], [this.state, []], "a stale answer changed something")
    }
  }

  private deliver(event: Event<string>): void {
    const before = this.state
    const [state, actions] = decide(before, event, this.now)
    assert.strictEqual(JSON.stringify(decide(before, event, this.now)), JSON.stringify([state, actions]), "impure")
    this.state = deepFreeze(state)
    if (event._tag === "UpRequested") this.checkUp(event.id)
    this.checkRestart(event, before)
    if (event._tag === "ChildStarted" && state.children[event.child]!.state._tag === "Up") {
      this.lives[event.child]!.terminated = false
    }
    this.run(actions, before)
    this.checkState()
  }

  /** The boot does not pass over a child that a request wants up. */
  private checkUp(id: string): void {
    const life = this.lives[this.options.members.findIndex((member) => member.id === id)]
    if (life?.passedOver !== true || life.forgotten || life.incarnation > 0) return
    life.passedOver = false
    life.cameBack = true
  }

  // ---- checking ---------------------------------------------------------------------------------------------------

  private restarts() {
    return this.state.phase._tag === "Running" ? this.state.phase.restarts : []
  }

  private groupOf(child: number): ReadonlyArray<number> | undefined {
    const restart = this.restarts().find(({ members }) => members.includes(child))
    if (restart === undefined) return undefined
    return restart.group ? restart.members : undefined
  }

  /** A restart after one failure includes all children that it must and, under `oneForOne`, no others. */
  private checkRestart(event: Event<string>, before: State<string>): void {
    const restart = this.restarts().find(({ restart }) => restart > before.lastRestart)
    if (restart === undefined || (event._tag !== "ChildExited" && event._tag !== "StartFailed")) return
    // After the boot one decision handles several ends.
    if (before.phase._tag === "Booting") return
    const { child } = event
    const { members, strategy } = this.options
    const isResource = members[child]!.kind === "resource"
    const isSuspicious = event._tag === "StartFailed" || (event.failed && !isResource)
    const held = members.findIndex(
      (member, at) => at < child && member.kind === "resource" && member.rebuild === "withHolder"
    )
    const first = Math.min(
      isSuspicious && held !== -1 ? held : Infinity,
      strategy === "oneForAll" ? 0 : Infinity,
      strategy === "restForOne" || isResource ? child : Infinity
    )
    assert.include(restart.members, child)
    assert.strictEqual(restart.group, first !== Infinity || restart.members.length > 1)
    before.children.forEach(({ state }, index) => {
      if (index >= first && state._tag === "Up") assert.include(restart.members, index, "left out of a group")
      const wasInRound =
        before.phase._tag === "Running" && before.phase.restarts.some(({ members }) => members.includes(index))
      if (index < first && index !== child && !wasInRound)
        assert.notInclude(restart.members, index, "taken in for nothing")
    })
  }

  private run(actions: ReadonlyArray<Action<string>>, before: State<string>): void {
    for (const action of actions) {
      if (action._tag !== "Reply") assert.isFalse(this.ended, `${action._tag} after the end`)
      if ("child" in action) assert.isFalse(this.lives[action.child]!.forgotten, `${action._tag} for a dropped child`)
      this.act(action, before)
    }
  }

  private act(action: Action<string>, before: State<string>): void {
    switch (action._tag) {
      case "StartChild":
        return this.start(action.child, action.incarnation)
      case "StopChild":
        return this.stopChild(action.child, action.incarnation, before)
      case "AskSchedule":
        if (this.options.members[action.child]!.counted !== false) this.failures.push(this.now)
        this.asked.add(action.restart)
        return assert.isAtMost(this.failuresInWindow(), this.options.intensity?.max ?? Infinity, "not given up")
      case "Sleep":
        assert.isAbove(action.millis, 0)
        this.sleeping.add(action.restart)
        return
      case "CancelSleep":
        // Its end may be on its way already.
        this.sleeping.delete(action.restart)
        return
      case "Reply": {
        const request = this.requests.get(action.request)
        assert.isTrue(this.requests.delete(action.request), "a reply too many")
        const life = this.lives[this.options.members.findIndex(({ id }) => id === request!.id)]
        if (life === undefined) return
        const wantsUp = request!._tag === "RestartRequested" || request!._tag === "UpRequested"
        if (!wantsUp) life.terminated ||= action.result._tag === "Done"
        if (request!._tag === "UpRequested") life.terminated ||= action.result._tag === "StartFailed"
        if (this.booted || life.incarnation > 0) return
        // There are no requests for a resource.
        if (action.result._tag === "Done") life.passedOver = true
        if (life.passedOver && action.result._tag === "ChildRestarting") {
          life.passedOver = false
          life.cameBack = true
        }
        return
      }
      case "Forget":
        this.lives[action.child]!.forgotten = true
        return
      case "BootSucceeded":
        assert.isFalse(this.booted)
        assert.isTrue(this.lives.every(({ incarnation, passedOver }) => incarnation >= 1 || passedOver))
        this.booted = true
        return
      case "End":
        this.ended = true
        for (const { phase } of this.lives) assert.include(["gone", "zombie", "zombieToldAgain"], phase)
        if (action.reason._tag === "BootFailed") assert.isFalse(this.booted)
        return
    }
  }

  private failuresInWindow(): number {
    const within = this.options.intensity?.withinMillis ?? 0
    return this.failures.filter((at) => this.now - at <= within).length
  }

  private start(child: number, incarnation: number): void {
    const life = this.lives[child]!
    assert.strictEqual(life.phase, "gone", "started while its former incarnation is there")
    assert.strictEqual(incarnation, life.incarnation + 1)
    const { children, phase } = this.state
    // One decision may handle a start request that had to wait and then a park request: the child is started and told
    // to stop.
    const { state: stands, parked, starter, upRequests } = children[child]!
    assert.isFalse(parked === true && stands._tag === "Starting", "a parked child was started")
    assert.include(["Booting", "Running"], phase._tag, "started while the supervisor ends")
    // If an event in the same decision has stopped a start of the boot, it no longer counts as one.
    if (phase._tag === "Booting" && stands._tag === "Starting" && incarnation === 1) this.checkBoot(child)
    if (phase._tag === "Booting" && stands._tag === "Starting" && incarnation > 1) {
      assert.isTrue(starter !== undefined || upRequests !== undefined, "the boot starts a child twice")
    }
    for (let earlier = 0; earlier < child; earlier++) {
      if (this.options.members[earlier]!.kind === "resource") {
        assert.strictEqual(children[earlier]!.state._tag, "Up", "started without its resource")
      }
    }
    const group = this.groupOf(child)
    if (group !== undefined) {
      assert.strictEqual(group[0], child, "started out of order")
      for (let later = child + 1; later < children.length; later++) {
        assert.notStrictEqual(children[later]!.state._tag, "Stopping", "started while a later member stops")
        if (group.includes(later)) assert.strictEqual(this.lives[later]!.phase, "gone", "a later member is still there")
      }
    }
    Object.assign(life, { incarnation, phase: "starting", broken: false })
  }

  /** The boot starts the children that were not told to stop, one after the other. */
  private checkBoot(child: number): void {
    const { passedOver, cameBack } = this.lives[child]!
    assert.isFalse(passedOver, "the boot starts a child that was told to stop")
    const isThere = (life: Life) => life.incarnation > 0 || life.passedOver
    assert.isTrue(this.lives.slice(0, child).every(isThere), "the boot leaves a child out")
    if (!cameBack) assert.isTrue(this.lives.slice(child).every((life) => life.incarnation === 0 || life.cameBack))
    const own = this.state.children.filter(({ incarnation, state }) => state._tag === "Starting" && incarnation === 1)
    assert.strictEqual(own.length, 1, "the boot starts two children at once")
  }

  private stopChild(child: number, incarnation: number, before: State<string>): void {
    const life = this.lives[child]!
    assert.strictEqual(incarnation, life.incarnation)
    const { children, phase } = this.state
    const wasUp = before.children[child]!.state._tag === "Up"
    const together = phase._tag === "Ending" ? children.map((_, index) => index) : this.groupOf(child)
    if (wasUp && together !== undefined) {
      for (const later of together.filter((other) => other > child)) {
        const allowed = phase._tag === "Ending" ? ["Down", "Dropped", "Zombie"] : ["Down"]
        assert.include(allowed, children[later]!.state._tag, "stopped before a later member")
      }
    }
    if (wasUp && this.options.members[child]!.kind === "resource") this.checkUnused(child)
    if (life.phase === "starting" || life.phase === "up") life.phase = "stopping"
    else if (life.phase === "zombie") life.phase = "zombieToldAgain"
  }

  /** No holder of this resource is left, except zombies that are no longer waited for. */
  private checkUnused(resource: number): void {
    this.lives.forEach(({ phase }, later) => {
      if (later <= resource || phase === "gone") return
      assert.include(["zombie", "zombieToldAgain"], phase, "a resource is stopped while it is in use")
      assert.isFalse(this.groupOf(later)?.includes(later) ?? false, "a resource is stopped before its group's zombie")
    })
  }

  private checkState(): void {
    const { phase, children } = this.state
    if (phase._tag === "Ending" && phase.reason._tag === "RestartLimit" && phase.reason.policy === "intensity") {
      // The schedule was never asked about the last failure.
      this.givenUp ??= this.failuresInWindow() + 1
      assert.isAbove(this.givenUp, this.options.intensity!.max, "given up too early")
      assert.strictEqual(phase.reason.attempts, this.givenUp)
    }
    const all = this.restarts().flatMap(({ members }) => members)
    assert.strictEqual(new Set(all).size, all.length, "a child in two restarts")
    for (const { members } of this.restarts()) {
      assert.isAbove(members.length, 0, "an empty restart")
      assert.deepStrictEqual(
        [...members].toSorted((a, b) => a - b),
        members,
        "a restart out of order"
      )
    }
    for (const member of all) {
      const { state, starter } = children[member]!
      assert.notStrictEqual(state._tag, "Dropped")
      if (state._tag === "Starting") assert.isUndefined(starter, "a start with two owners")
    }
  }

  /** What must hold once nothing more happens. */
  checkQuiet(): void {
    const { phase, children } = this.state
    assert.deepStrictEqual([...this.requests.keys()], [], "requests without a reply")
    for (const { broken, phase } of this.lives) {
      assert.include(["gone", "up"], phase)
      assert.isFalse(broken && phase === "up", "a broken resource is kept")
    }
    if (this.ended) {
      assert.strictEqual(phase._tag, "Ended")
      for (const { phase } of this.lives) assert.strictEqual(phase, "gone", "it runs after the end")
      return
    }
    assert.isTrue(this.booted)
    assert.deepStrictEqual(phase, { _tag: "Running", restarts: [] })
    children.forEach(({ state, member }, index) => {
      const { endedWell, phase, terminated } = this.lives[index]!
      assert.include(["Up", "Down", "Dropped"], state._tag)
      assert.strictEqual(state._tag === "Up", phase === "up", "the core is wrong about a child")
      const restart = member.kind === "resource" ? "permanent" : member.restart
      if (restart === "permanent" && !terminated) assert.strictEqual(state._tag, "Up", "a permanent child is down")
      if (restart === "transient" && !terminated && !endedWell) assert.strictEqual(state._tag, "Up", "a crash is lost")
      if (restart === "temporary") assert.notStrictEqual(state._tag, "Down", "a temporary child is kept")
    })
  }
}

const deepFreeze = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}

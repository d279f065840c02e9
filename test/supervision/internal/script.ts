/**
 * Plays the shell of a supervisor by hand: every action of the core is read as words, every answer is given by name.
 *
 * `"start b"`, `"stop b"`, `"ask b"` and `"sleep b"` (the restart that `b` began) stay open until they are answered; so
 * does `"release b"` after `b` has ended by itself.
 */
import {
  type Action,
  boot,
  decide,
  type Event,
  type Member,
  type Options,
  type State,
  whichChildren
} from "../../../src/supervision/internal/group/group.ts"

export interface Setup extends Partial<Omit<Options, "members">> {
  readonly members: ReadonlyArray<Member>
}

export const permanent = (id: string): Member => ({ kind: "child", id, restart: "permanent", significant: false })
export const transient = (id: string, significant = false): Member => ({
  kind: "child",
  id,
  restart: "transient",
  significant
})
export const temporary = (id: string, significant = false): Member => ({
  kind: "child",
  id,
  restart: "temporary",
  significant
})
export const resource = (id: string, rebuild: "withHolder" | "onWatch" = "onWatch"): Member => ({
  kind: "resource",
  id,
  rebuild
})

/** A supervisor whose boot has begun, with no answers yet. */
export class Script {
  readonly options: Options
  state: State<string>
  now = 0
  /** Everything the core has asked for so far. */
  readonly log: Array<string> = []
  private readonly open = new Map<string, Event<string>>()
  private readonly restartOf = new Map<number, string>()

  constructor(setup: Setup) {
    this.options = {
      strategy: setup.strategy ?? "oneForOne",
      autoShutdown: setup.autoShutdown ?? "never",
      intensity: setup.intensity,
      members: setup.members
    }
    const [state, actions] = boot<string>(this.options)
    this.state = state
    this.run(actions)
  }

  /** Answers everything that is open, and everything that follows, with success and no delay. */
  settle(): ReadonlyArray<string> {
    const from = this.log.length
    for (let key = this.nextOpen(); key !== undefined; key = this.nextOpen()) this.ok(key)
    return this.log.slice(from)
  }

  /** Makes one open action succeed. An answer may have a delay in milliseconds. */
  ok(key: string, millis = 0): ReadonlyArray<string> {
    const event = this.take(key)
    return this.send(event._tag === "ScheduleAnswered" ? { ...event, answer: { _tag: "Delay", millis } } : event)
  }

  /** Makes one open action fail: a start fails, a stop or release takes too long, a schedule is exhausted. */
  fail(key: string): ReadonlyArray<string> {
    const event = this.take(key)
    switch (event._tag) {
      case "ChildStarted":
        return this.send({ ...event, _tag: "StartFailed", exit: `no ${key}` })
      case "ChildStopped":
        return this.send({ ...event, _tag: "ReleaseTimedOut", exit: `late ${key}` })
      case "ScheduleAnswered":
        return this.send({ ...event, answer: { _tag: "Exhausted", attempts: 7 } })
      default:
        throw new RangeError(`${key} cannot fail`)
    }
  }

  crash(id: string): ReadonlyArray<string> {
    return this.exit(id, false)
  }

  finish(id: string): ReadonlyArray<string> {
    return this.exit(id, true)
  }

  private exit(id: string, expected: boolean): ReadonlyArray<string> {
    const at = this.at(id)
    // A resource is released only when it is told to stop, because others may still hold it.
    const isResource = this.options.members[at.child]!.kind === "resource"
    if (!isResource && !this.open.has(`stop ${id}`)) this.open.set(`release ${id}`, { _tag: "ChildStopped", ...at })
    return this.send({ _tag: "ChildExited", ...at, expected, failed: !expected, exit: expected ? "normal" : "crash" })
  }

  terminate(id: string, request = 1): ReadonlyArray<string> {
    return this.send({ _tag: "TerminateRequested", request, id })
  }

  park(id: string, request = 1): ReadonlyArray<string> {
    return this.send({ _tag: "ParkRequested", request, id })
  }

  restart(id: string, request = 1): ReadonlyArray<string> {
    return this.send({ _tag: "RestartRequested", request, id })
  }

  up(id: string, request = 1): ReadonlyArray<string> {
    return this.send({ _tag: "UpRequested", request, id })
  }

  stop(reason = "stop"): ReadonlyArray<string> {
    return this.send({ _tag: "StopRequested", reason })
  }

  send(event: Event<string>): ReadonlyArray<string> {
    const [state, actions] = decide(this.state, event, this.now)
    this.state = state
    return this.run(actions)
  }

  /** `"a running"`, `"b restarting"`, … */
  children(): ReadonlyArray<string> {
    return whichChildren(this.state).map(({ id, state }) => `${id} ${state}`)
  }

  /** The requests that still wait for an answer, oldest first. */
  pending(): ReadonlyArray<string> {
    return [...this.open.keys()]
  }

  private nextOpen(): string | undefined {
    return this.open.keys().next().value
  }

  private take(key: string): Event<string> {
    const event = this.open.get(key)
    if (event === undefined) throw new RangeError(`"${key}" is not open, only ${JSON.stringify(this.pending())}`)
    this.open.delete(key)
    return event
  }

  private at(id: string): { readonly child: number; readonly incarnation: number } {
    const child = this.options.members.findIndex((member) => member.id === id)
    return { child, incarnation: this.state.children[child]!.incarnation }
  }

  private run(actions: ReadonlyArray<Action<string>>): ReadonlyArray<string> {
    const words = actions.map((action) => this.say(action))
    this.log.push(...words)
    return words
  }

  private say(action: Action<string>): string {
    const id = (child: number) => this.options.members[child]!.id
    switch (action._tag) {
      case "StartChild":
        return this.owe(`start ${id(action.child)}`, { ...action, _tag: "ChildStarted" })
      case "StopChild": {
        // One answer ends a start, a stop and a release alike.
        this.open.delete(`start ${id(action.child)}`)
        this.open.delete(`release ${id(action.child)}`)
        return this.owe(`stop ${id(action.child)}`, { ...action, _tag: "ChildStopped" })
      }
      case "AskSchedule": {
        const { restart, child } = action
        this.restartOf.set(restart, id(child))
        return this.owe(`ask ${id(child)}`, { _tag: "ScheduleAnswered", restart, answer: { _tag: "Delay", millis: 0 } })
      }
      case "Sleep": {
        const { restart, millis } = action
        this.owe(`sleep ${this.restartOf.get(restart)}`, { _tag: "DelayPassed", restart })
        return `sleep ${this.restartOf.get(restart)} ${millis}`
      }
      case "CancelSleep":
        this.open.delete(`sleep ${this.restartOf.get(action.restart)}`)
        return `cancel ${this.restartOf.get(action.restart)}`
      case "Reply": {
        const { request, result } = action
        return `reply ${request} ${result._tag}${result._tag === "StartFailed" ? ` ${result.exit}` : ""}`
      }
      case "Forget":
        return `forget ${id(action.child)}`
      case "BootSucceeded":
        return "booted"
      case "End": {
        const { reason } = action
        const of = "child" in reason ? ` ${id(reason.child)}` : ` ${reason.reason}`
        return `end ${reason._tag}${of}${reason._tag === "RestartLimit" ? ` ${reason.policy} ${reason.attempts}` : ""}`
      }
    }
  }

  private owe(key: string, answer: Event<string>): string {
    this.open.set(key, answer)
    return key
  }
}

/** A supervisor whose children are all up. */
export const booted = (setup: Setup): Script => {
  const script = new Script(setup)
  script.settle()
  script.log.length = 0
  return script
}

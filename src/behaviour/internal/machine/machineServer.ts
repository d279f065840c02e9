/**
 * Runs a state machine as a server.
 *
 * Each event is a turn of its own: a message, a timer, or an event that the machine has queued itself. Queued events
 * are handled by `continue`, before the next message. A turn without effects ends in the step in which it began.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isInstance } from "../../../values/describe.ts"
import { currentUnsafe } from "../../../kernel/shared/processRecord.ts"
import { StartTypeId, type Start, type Tagged } from "../../Transition.ts"
import type { DefineOptions } from "../server/define.ts"
import type { ReplyTo } from "../server/handlerContext.ts"
import * as Engine from "./machineEngine.ts"
import { eventOf, MachineEvent, type Event } from "./machineEvent.ts"
import { answer, Elapsed, heldCount, Origin, Shell, type MachineState } from "./machineShell.ts"
import * as Timers from "./machineTimers.ts"
import { Initial, type Next, type Options } from "../server/next.ts"
import type { Handler, HandlerContext, Lens, Shown, Status } from "../server/serverSpec.ts"
import { warnOfInfo } from "../server/turn.ts"
import * as Travel from "../call/travel.ts"

/** @internal */
export interface MachineOptions extends Pick<DefineOptions, "init" | "name" | "mailbox" | "turnTimeout"> {
  readonly machine: Engine.Machine
  readonly tags: ReadonlyArray<string>
  readonly drain: boolean | undefined
  readonly terminate: ((reason: never, state: unknown) => Effect.Effect<unknown, unknown>) | undefined
  readonly formatStatus: ((status: Status) => Shown) | undefined
}

type Turn = Next | Effect.Effect<Next, unknown>

/** @internal */
export const serverOptions = (options: MachineOptions): DefineOptions => {
  const { drain, formatStatus, machine, mailbox, name, tags, terminate, turnTimeout } = options
  const handlers: Record<string, Handler> = Object.create(null)
  for (const tag of tags) {
    handlers[tag] = (payload, state, context) => take(machine, state as MachineState, messageOf(tag, payload, context))
  }
  return {
    init: (...args) => Effect.flatMap(options.init(...args), (result) => started(machine, result as Tagged | Begin)),
    handlers,
    info: (content, state) => inform(machine, state as MachineState, content),
    continue: (token, state) => proceed(machine, state as MachineState, token),
    terminate:
      terminate === undefined
        ? undefined
        : // The options have lost their types, with which `define` has checked them.
          (reason, state) => terminate(reason as never, (state as MachineState).running.state),
    formatStatus,
    lens,
    name,
    mailbox,
    drain: drain ?? false,
    turnTimeout
  }
}

/** Users see the state of the machine. Its queue and its timers are hidden from them. */
const lens: Lens = {
  get: (state) => (state as MachineState).running.state,
  set: (state, value) => {
    const { running, shell } = state as MachineState
    return { running: { ...running, state: value as Tagged }, shell }
  },
  held: (state) => heldCount((state as MachineState).running),
  subject: (state, content) => {
    const { running } = state as MachineState
    if (content === undefined) return Engine.next(running)?.event.toJSON()
    return isInstance(content, Elapsed) ? eventOfTimer(running, content)?.event.toJSON() : content
  }
}

const eventOfTimer = (running: Engine.Running, { number, timer }: Elapsed) => Timers.expire(running, timer, number)

// ---- turns --------------------------------------------------------------------------------------------------------

type Begin = Start<Tagged, never>

/** What a machine starts with, made from the result of `init`. @internal */
export const startOf = (result: Tagged | Start<Tagged, unknown>): Begin =>
  (StartTypeId in result ? result : { state: result, actions: [] }) as Begin

const started = (machine: Engine.Machine, result: Tagged | Begin): Effect.Effect<MachineState | Initial> =>
  Effect.withFiber((fiber) => {
    const begin = startOf(result)
    const running = Engine.at(begin.state)
    const state: MachineState = { running, shell: new Shell(currentUnsafe(fiber)!) }
    const isPlain = begin.actions.length === 0 && machine.states[begin.state._tag]?.["onEnter"] === undefined
    return Effect.succeed(isPlain ? state : new Initial(state, { continue: begin }))
  })

const messageOf = (tag: string, content: unknown, context: HandlerContext): Event => {
  const { from } = context as { readonly from: ReplyTo | undefined }
  return new MachineEvent({
    _tag: "Message",
    tag,
    content,
    from,
    origin: new Origin(from?.call, context.travel)
  })
}

/** Handles a message. It is taken only when the machine has nothing left to do by itself. */
const take = (machine: Engine.Machine, state: MachineState, event: Event): Turn =>
  turn(state, Engine.handle(machine, state.running, event), event)

const inform = (machine: Engine.Machine, state: MachineState, content: unknown): Turn => {
  if (isInstance(content, Elapsed)) {
    const elapsed = eventOfTimer(state.running, content)
    if (elapsed === undefined) return noReply(state)
    return turn(state, Engine.handle(machine, elapsed.running, elapsed.event), undefined)
  }
  if (machine.info === undefined) {
    return Effect.withFiber((fiber) => {
      warnOfInfo(currentUnsafe(fiber)!, content)
      return Effect.succeed(noReply(state))
    })
  }
  const origin = new Origin(undefined, undefined)
  return take(machine, state, new MachineEvent({ _tag: "Info", tag: "info", content, origin }))
}

/** Handles what the machine has to do before the next message. */
const proceed = (machine: Engine.Machine, state: MachineState, token: unknown): Turn => {
  if (token !== more) {
    const { actions, state: first } = token as Begin
    return turn(state, Engine.begin(machine, first, actions), undefined)
  }
  const next = Engine.next(state.running)!
  return turn(state, Engine.handle(machine, next.running, next.event), undefined, next.event.origin)
}

const more = Symbol("more")
const goOn: Options = { continue: more }

const noReply = (state: MachineState): Next => ({ _tag: "NoReply", state, options: undefined })

/** Sends out what was decided. `inHand` is the message whose caller the server itself can answer. */
const turn = (
  before: MachineState,
  decision: Engine.Decision,
  inHand: Event | undefined,
  origin?: object | undefined
): Turn => {
  const { outputs } = decision
  const last = outputs.findLastIndex((output) => output._tag === "Perform")
  if (last < 0) return end(before, decision, [], inHand)
  const results: Array<Event | undefined> = []
  let at = 0
  const step: Effect.Effect<Next> = Effect.suspend(() => {
    while (at <= last) {
      const output = outputs[at++]!
      if (output._tag === "Perform") {
        return Effect.flatMap(withTravel(output.effect as Effect.Effect<unknown>, origin), (result) => {
          results.push(result === undefined ? undefined : eventOf(result))
          return step
        })
      }
      answer(output.from, output.exit)
    }
    return Exit.succeed(end(before, { ...decision, outputs: outputs.slice(at) }, results, inHand))
  })
  return step
}

/** Runs an effect with the span, annotations and References that came with a postponed event. */
const withTravel = <A>(effect: Effect.Effect<A>, origin: object | undefined): Effect.Effect<A> => {
  const travel = origin instanceof Origin ? origin.travel : undefined
  return travel === undefined ? effect : Effect.updateContext(effect, (context) => Travel.apply(context, travel))
}

const end = (
  { running: before, shell }: MachineState,
  decision: Engine.Decision,
  results: ReadonlyArray<Event | undefined>,
  inHand: Event | undefined
): Next => {
  const running = Engine.settle(decision, results)
  const state: MachineState = { running, shell }
  // Without a message in hand, the turn handled the first event in the queue, if there was one.
  if (inHand === undefined && before.queue !== undefined && !decision.postponed) shell.finished(before.queue.head)
  if (decision.stop !== undefined) {
    give(decision.outputs)
    return { _tag: "Stop", reason: decision.stop, state }
  }
  shell.arrange(before, running)
  const options = Engine.isIdle(running) ? undefined : goOn
  const last = decision.outputs.at(-1)
  const isReply = inHand?.from !== undefined && last?._tag === "Answer" && last.from === inHand.from
  if (!isReply || Exit.isFailure(last.exit)) {
    give(decision.outputs)
    return { _tag: "NoReply", state, options }
  }
  if (decision.outputs.length > 1) give(decision.outputs.slice(0, -1))
  return { _tag: "Reply", value: last.exit.value, state, options }
}

const give = (outputs: ReadonlyArray<Engine.Output>): void => {
  for (const output of outputs) if (output._tag === "Answer") answer(output.from, output.exit)
}

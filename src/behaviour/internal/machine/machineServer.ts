/**
 * Runs a state machine as a server.
 *
 * Each event is a turn of its own: a message, a timer, or an event that the machine has queued itself. Queued events
 * are handled by `continue`, before the next message. A turn without effects ends in the step in which it began.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isInstance } from "../../../values/describe.ts"
import { currentProcessUnsafe } from "../../../kernel/shared/processRecord.ts"
import { StartTypeId, type Start, type Tagged } from "../../Transition.ts"
import type { DefineOptions } from "../server/define.ts"
import type { ReplyTo } from "../server/handlerContext.ts"
import * as Engine from "./machineEngine.ts"
import { eventOf, MachineEvent, type Event } from "./machineEvent.ts"
import {
  answer,
  Elapsed,
  machineStatus,
  postponedCount,
  Origin,
  MachineHost,
  type MachineServerState
} from "./machineHost.ts"
import * as Timers from "./machineTimers.ts"
import { InitResult, type Next, type Options } from "../server/handlerAnswer.ts"
import type { Handler, HandlerContext, Lens, Shown, Status } from "../server/serverSpec.ts"
import { warnOfInfo } from "../server/turn.ts"
import { withMessageContext } from "../call/messageContext.ts"

/** @internal */
export interface MachineOptions extends Pick<DefineOptions, "init" | "name" | "mailbox" | "turnTimeout"> {
  readonly machine: Engine.Machine
  readonly tags: ReadonlyArray<string>
  readonly drain: boolean | undefined
  readonly terminate: ((reason: never, state: unknown) => Effect.Effect<unknown, unknown>) | undefined
  readonly formatStatus: ((status: Status) => Shown) | undefined
}

type TurnResult = Next | Effect.Effect<Next, unknown>

/** @internal */
export const serverOptions = (options: MachineOptions): DefineOptions => {
  const { drain, formatStatus, machine, mailbox, name, tags, terminate, turnTimeout } = options
  const handlers: Record<string, Handler> = Object.create(null)
  for (const tag of tags) {
    handlers[tag] = (payload, state, context) =>
      take(machine, state as MachineServerState, messageOf(tag, payload, context))
  }
  return {
    behaviour: "StateMachine",
    init: (...args) =>
      Effect.flatMap(options.init(...args), (result) => initialState(machine, result as Tagged | Begin)),
    handlers,
    info: (content, state) => inform(machine, state as MachineServerState, content),
    continue: (token, state) => handleQueued(machine, state as MachineServerState, token),
    terminate:
      terminate === undefined
        ? undefined
        : // The options have lost their types, with which `define` has checked them.
          (reason, state) => terminate(reason as never, (state as MachineServerState).running.state),
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
  get: (state) => (state as MachineServerState).running.state,
  set: (state, value) => {
    const { running, host } = state as MachineServerState
    return { running: { ...running, state: value as Tagged }, host }
  },
  held: (state) => postponedCount((state as MachineServerState).running),
  subject: (state, content) => {
    const { running } = state as MachineServerState
    if (content === undefined) return Engine.next(running)?.event.toJSON()
    return isInstance(content, Elapsed) ? eventOfTimer(running, content)?.event.toJSON() : content
  },
  machine: (state) => machineStatus(state as MachineServerState)
}

const eventOfTimer = (running: Engine.MachineState, { number, timer }: Elapsed) => Timers.expire(running, timer, number)

// ---- turns --------------------------------------------------------------------------------------------------------

type Begin = Start<Tagged, never>

/** What a machine starts with, made from the result of `init`. @internal */
export const startOf = (result: Tagged | Start<Tagged, unknown>): Begin =>
  (StartTypeId in result ? result : { state: result, actions: [] }) as Begin

const initialState = (
  machine: Engine.Machine,
  result: Tagged | Begin
): Effect.Effect<MachineServerState | InitResult> =>
  Effect.withFiber((fiber) => {
    const begin = startOf(result)
    const running = Engine.at(begin.state)
    const state: MachineServerState = { running, host: new MachineHost(currentProcessUnsafe(fiber)!) }
    const isPlain = begin.actions.length === 0 && machine.states[begin.state._tag]?.["onEnter"] === undefined
    return Effect.succeed(isPlain ? state : new InitResult(state, { continue: begin }))
  })

const messageOf = (tag: string, content: unknown, context: HandlerContext): Event => {
  const { from } = context as { readonly from: ReplyTo | undefined }
  return new MachineEvent({
    _tag: "Message",
    tag,
    content,
    from,
    origin: new Origin(from?.call, context.messageContext)
  })
}

/** Handles a message. It is taken only when the machine has nothing left to do by itself. */
const take = (machine: Engine.Machine, state: MachineServerState, event: Event): TurnResult =>
  carryOut(state, Engine.handle(machine, state.running, event), event)

const inform = (machine: Engine.Machine, state: MachineServerState, content: unknown): TurnResult => {
  if (isInstance(content, Elapsed)) {
    const elapsed = eventOfTimer(state.running, content)
    if (elapsed === undefined) return noReply(state)
    return carryOut(state, Engine.handle(machine, elapsed.running, elapsed.event), undefined)
  }
  if (machine.info === undefined) {
    return Effect.withFiber((fiber) => {
      warnOfInfo(currentProcessUnsafe(fiber)!, content)
      return Effect.succeed(noReply(state))
    })
  }
  const origin = new Origin(undefined, undefined)
  return take(machine, state, new MachineEvent({ _tag: "Info", tag: "info", content, origin }))
}

/** Handles what the machine has to do before the next message. */
const handleQueued = (machine: Engine.Machine, state: MachineServerState, token: unknown): TurnResult => {
  if (token !== more) {
    const { actions, state: first } = token as Begin
    return carryOut(state, Engine.begin(machine, first, actions), undefined)
  }
  const next = Engine.next(state.running)!
  return carryOut(state, Engine.handle(machine, next.running, next.event), undefined, next.event.origin)
}

const more = Symbol("more")
const goOn: Options = { continue: more }

const noReply = (state: MachineServerState): Next => ({ _tag: "NoReply", state, options: undefined })

/** Sends out what was decided. `inHand` is the message whose caller the server itself can answer. */
const carryOut = (
  before: MachineServerState,
  decision: Engine.Decision,
  inHand: Event | undefined,
  origin?: object | undefined
): TurnResult => {
  const { outputs } = decision
  const last = outputs.findLastIndex((output) => output._tag === "Perform")
  if (last < 0) return finishTurn(before, decision, [], inHand)
  const results: Array<Event | undefined> = []
  let at = 0
  const step: Effect.Effect<Next> = Effect.suspend(() => {
    while (at <= last) {
      const output = outputs[at++]!
      if (output._tag === "Perform") {
        return Effect.flatMap(withOriginContext(output.effect as Effect.Effect<unknown>, origin), (result) => {
          results.push(result === undefined ? undefined : eventOf(result))
          return step
        })
      }
      answer(output.from, output.exit)
    }
    return Exit.succeed(finishTurn(before, { ...decision, outputs: outputs.slice(at) }, results, inHand))
  })
  return step
}

/** Runs an effect with the span, annotations and References that came with a postponed event. */
const withOriginContext = <A>(effect: Effect.Effect<A>, origin: object | undefined): Effect.Effect<A> => {
  const messageContext = origin instanceof Origin ? origin.messageContext : undefined
  return messageContext === undefined
    ? effect
    : Effect.updateContext(effect, (context) => withMessageContext(context, messageContext))
}

const finishTurn = (
  { running: before, host }: MachineServerState,
  decision: Engine.Decision,
  results: ReadonlyArray<Event | undefined>,
  inHand: Event | undefined
): Next => {
  const running = Engine.applyResults(decision, results)
  const state: MachineServerState = { running, host }
  // Without a message in hand, the turn handled the first event in the queue, if there was one.
  if (inHand === undefined && before.queue !== undefined && !decision.postponed)
    host.postponedHandled(before.queue.head)
  if (decision.stop !== undefined) {
    giveAnswers(decision.outputs)
    return { _tag: "Stop", reason: decision.stop, state }
  }
  host.syncTimers(before, running)
  const options = Engine.isIdle(running) ? undefined : goOn
  const last = decision.outputs.at(-1)
  const isReply = inHand?.from !== undefined && last?._tag === "Answer" && last.from === inHand.from
  if (!isReply || Exit.isFailure(last.exit)) {
    giveAnswers(decision.outputs)
    return { _tag: "NoReply", state, options }
  }
  if (decision.outputs.length > 1) giveAnswers(decision.outputs.slice(0, -1))
  return { _tag: "Reply", value: last.exit.value, state, options }
}

const giveAnswers = (outputs: ReadonlyArray<Engine.Output>): void => {
  for (const output of outputs) if (output._tag === "Answer") answer(output.from, output.exit)
}

/**
 * What a kernel for development does in addition: it freezes values and checks invariants. A kernel for production does
 * neither.
 *
 * It freezes messages and states. And it checks these invariants of the library, each in the step in which it could break:
 *
 * - Each message has exactly one fate: it is handled, failed, returned, abandoned, dropped or a dead letter. Until then it
 *   is in the mailbox, waits for room, or is in hand.
 * - A process goes through its phases in order: `starting → running → exiting → dead → ended`.
 * - A child has one live run. The next run begins when the last one has ended.
 * - Dead processes send nothing: no message, no signal and no answer.
 *
 * A broken invariant is written to the log at once, and the kernel dies with the first one when it closes. No function
 * here throws, because a throw would leave a step half done.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { brief } from "../../values/describe.ts"
import type { Fate } from "../Accounting.ts"
import { deepFreeze } from "./deepFreeze.ts"
import { displayName } from "./displayName.ts"
import { isOpen, isDead, type Life } from "./life.ts"
import { writeLine } from "./log.ts"

/** The parts of a process that are checked. @internal */
export interface Watched {
  readonly name: string | undefined
  readonly label: string | undefined
  readonly child: string | undefined
  readonly life: Life
  readonly mailbox: { readonly size: number }
  readonly waiting: { readonly length: number } | undefined
  readonly context: Context.Context<never>
  toString(): string
}

/** The parts of a message that are checked. @internal */
export interface Sent {
  readonly from: Watched | undefined
  readonly content: unknown
  readonly shared?: unknown
}

/** An invariant of this library is broken. That is a defect of the library, whatever its user does. @internal */
export class BrokenInvariant extends Data.TaggedError("BrokenInvariant")<{
  readonly process: string
  readonly step: string
  readonly expected: string
}> {
  override get message() {
    const { expected, process, step } = this
    return `${process} was about to ${step}. Expected: ${expected}. This is a defect of effect-otp, please report it.`
  }
}

/** The messages of one process that have no fate yet, and how often each one was sent to it. */
class Ledger {
  readonly times = new Map<Sent, number>()
  total = 0
}

/** @internal */
export class Development {
  /** Whether messages and states are frozen, so that changing one in place throws. */
  readonly freezes: boolean
  private firstBroken: BrokenInvariant | undefined = undefined
  private readonly ledgers = new WeakMap<Watched, Ledger>()

  constructor(freezes: boolean) {
    this.freezes = freezes
  }

  /** Dies if an invariant was found broken. */
  readonly check: Effect.Effect<void> = Effect.suspend(() =>
    this.firstBroken === undefined ? Effect.void : Effect.die(this.firstBroken)
  )

  // ---- messages ---------------------------------------------------------------------------------------------------

  /** A message was sent. It has no fate yet. */
  posted(to: Watched, message: Sent): void {
    if (this.freezes) deepFreeze(message.shared)
    this.sends(message.from, () => `send ${brief(message.content)} to ${known(to)}`)
    const ledger = this.ledgerOf(to)
    ledger.times.set(message, (ledger.times.get(message) ?? 0) + 1)
    ledger.total++
  }

  /** The kernel has counted the fate of a message. */
  gotFate(of: Watched, message: Sent, fate: Fate): void {
    const ledger = this.ledgerOf(of)
    const left = (ledger.times.get(message) ?? 0) - 1
    if (left < 0) {
      const step = `give ${brief(message.content)} the fate "${fate}"`
      return this.breaks(of, step, "a message that was sent to it and has no fate yet")
    }
    ledger.total--
    if (left > 0) ledger.times.set(message, left)
    else ledger.times.delete(message)
    if ((fate === "handled" || fate === "failed" || fate === "abandoned") && isOpen(of.life)) this.noneLost(of, ledger)
  }

  /** Between two turns every message without a fate waits. */
  private noneLost(of: Watched, { total }: Ledger): void {
    const waiting = of.mailbox.size + (of.waiting?.length ?? 0)
    if (total === waiting) return
    this.breaks(of, "end a turn", `${total} messages without a fate to wait in its mailbox, and ${waiting} do`)
  }

  private ledgerOf(process: Watched): Ledger {
    let ledger = this.ledgers.get(process)
    if (ledger === undefined) this.ledgers.set(process, (ledger = new Ledger()))
    return ledger
  }

  // ---- lives ------------------------------------------------------------------------------------------------------

  /** A process is about to go into its next phase. */
  steps(process: Watched, to: Life): void {
    const from = process.life._tag
    if (!nextOf[from].includes(to._tag)) {
      const expected = nextOf[from].length === 0 ? "nothing after that" : `${nextOf[from].join(" or ")} after that`
      this.breaks(process, `go from ${from} to ${to._tag}`, expected)
    }
    if (to._tag === "ended") this.leavesNothing(process)
  }

  private leavesNothing(process: Watched): void {
    const left = this.ledgers.get(process)?.times.keys().next().value
    if (left === undefined) return
    this.ledgers.delete(process)
    this.breaks(process, `end without a fate for ${brief(left.content)}`, "a fate for each message it was sent")
  }

  /** A child begins a run after others. */
  runs(child: string, before: Iterable<Watched | undefined>): void {
    for (const run of before) {
      if (run === undefined || run.life._tag === "ended") continue
      const step = `begin a run while ${known(run)}, the run before it, is ${run.life._tag}`
      this.breaks(run, step, "that run to have ended, with its fiber and its scope", child)
    }
  }

  // ---- the dead ---------------------------------------------------------------------------------------------------

  /** A process sends something. The receiver discards what a killed process sends. */
  sends(from: Watched | undefined, step: () => string): void {
    if (from === undefined || !isDead(from.life) || from.life.wasKilled) return
    this.breaks(from, step(), "nothing of a process that is dead")
  }

  /** A server answers a call. A killed server may not, either. */
  answers(server: Watched, tag: string): void {
    if (isDead(server.life)) this.breaks(server, `answer the call "${tag}"`, "nothing of a process that is dead")
  }

  // ---- parts ------------------------------------------------------------------------------------------------------

  private breaks(of: Watched, step: string, expected: string, process = known(of)): void {
    const error = new BrokenInvariant({ process, step, expected })
    this.firstBroken ??= error
    writeLine({ level: "Error", text: "An invariant of effect-otp is broken", cause: Cause.die(error) }, of.context)
  }
}

const nextOf: Readonly<Record<Life["_tag"], ReadonlyArray<Life["_tag"]>>> = {
  // A record whose process never ran is removed.
  starting: ["running", "exiting", "ended"],
  running: ["exiting"],
  // A `terminate` that dies changes the reason.
  exiting: ["exiting", "dead"],
  dead: ["ended"],
  ended: []
}

const known = (process: Watched): string => {
  const name = displayName(process)
  return name === process.toString() ? name : `${name} ${process.toString()}`
}

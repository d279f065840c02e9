/** What limits a server in time: how long it may go without a message, and how long a turn may take. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as Check from "../../../values/check.ts"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import * as Timer from "../../../kernel/Timer.ts"
import { TurnTimeout } from "../../TurnTimeout.ts"
import { Deadline } from "../../../kernel/shared/deadlines.ts"

/** The part of a server that has limits. @internal */
export interface Limited {
  /** How long it waits for a message before it has idled, as the last turn has asked. */
  idleMillis: number | undefined
  /** Set while it waits. */
  idle: IdleDeadline | undefined
  /** Set while a turn takes more than one step, and may not take for ever. */
  turnLimit: Deadline | undefined
  readonly spec: { readonly turnMillis: number | undefined }
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly exiting: ExitReason | undefined
  /** It crashes in the midst of a turn, which is given up. */
  crashIn(cause: Cause.Cause<unknown>): void
  kill(reason: ExitReason | undefined): void
  wakeUp(): void
}

class IdleDeadline extends Deadline {
  isDue = false
  private readonly server: Limited
  constructor(server: Limited) {
    super()
    this.server = server
  }
  expire(): void {
    this.isDue = true
    this.server.wakeUp()
  }
}

/** Begins to wait for the server to have idled long enough, unless it waits already. @internal */
export const beginIdling = (server: Limited): void => {
  if (server.idleMillis === undefined || server.idle !== undefined) return
  server.idle = new IdleDeadline(server)
  Timer.armUnsafe(server.idle, server.fiber!, server.idleMillis)
}

/** A turn has set the idle time: what came before has had its time. @internal */
export const idleFor = (server: Limited, input: Duration.Input): void => {
  const millis = Check.millis("idle", input)
  stopIdling(server)
  server.idleMillis = millis === Infinity ? undefined : millis
}

/** @internal */
export const stopIdling = (server: Limited): void => {
  server.idle?.disarm()
  server.idle = undefined
}

/** Whose turn it is, as a `TurnTimeout` names it. @internal */
export interface Turn {
  readonly server: string
  readonly request: string
}

class TurnLimit extends Deadline {
  private hasCrashed = false
  private readonly server: Limited
  private readonly turn: () => Turn
  private readonly millis: number
  constructor(server: Limited, turn: () => Turn, millis: number) {
    super()
    this.server = server
    this.turn = turn
    this.millis = millis
  }
  arm(): this {
    Timer.armUnsafe(this, this.server.fiber!, this.millis)
    return this
  }
  expire(): void {
    const { millis, server, turn } = this
    // It crashed by this limit, but the turn cannot be interrupted: nobody waits for it any longer.
    if (this.hasCrashed) return server.kill(server.exiting)
    // A signal was faster.
    if (server.exiting !== undefined) return
    this.hasCrashed = true
    server.crashIn(Cause.die(new TurnTimeout({ ...turn(), timeout: Duration.millis(millis) })))
    this.arm()
  }
}

/** A turn that is over in one step needs no limit, and could be given none. @internal */
export const limitTurn = (server: Limited, turn: () => Turn): void => {
  const millis = server.spec.turnMillis
  if (millis === undefined || server.turnLimit !== undefined || server.exiting !== undefined) return
  server.turnLimit = new TurnLimit(server, turn, millis).arm()
}

/** @internal */
export const turnOver = (server: Limited): void => {
  server.turnLimit?.disarm()
  server.turnLimit = undefined
}

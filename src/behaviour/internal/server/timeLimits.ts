/** The time limits of a server: how long it may wait for a message, and how long a turn may take. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Check from "../../../values/check.ts"
import { disarm, type Deadline } from "../../../kernel/shared/deadlines.ts"
import { kill } from "../../../kernel/shared/death.ts"
import { wake } from "../../../kernel/shared/delivery.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import type { Envelope } from "../../../kernel/shared/processRecord.ts"
import { TurnTimeout } from "./turnTimeout.ts"
import { requestOf } from "./answers.ts"
import { crashTurn } from "./crash.ts"
import type { Idle, Server } from "./server.ts"
import { armUnsafe } from "../../../kernel/shared/timers.ts"

// ---- idle ---------------------------------------------------------------------------------------------------------

class IdleDeadline implements Idle {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  isDue = false
  readonly millis: number
  private readonly server: Server
  constructor(server: Server, millis: number) {
    this.server = server
    this.millis = millis
  }
  expire(): void {
    this.isDue = true
    wake(this.server.record)
  }
}

/** Starts the idle timer, unless it runs already. @internal */
export const beginIdling = ({ idle, record }: Server): void => {
  if (idle === undefined || idle.isDue || idle.list !== undefined) return
  armUnsafe(idle, record.fiber!, idle.millis)
}

/** A turn has set the idle time. The earlier timer ends. @internal */
export const idleFor = (server: Server, input: Duration.Input): void => {
  const millis = Check.millis("idle", input)
  setIdle(server, millis === Infinity ? undefined : millis)
}

/** The idle time is again what the server was defined with. @internal */
export const idleAsDefined = (server: Server): void => {
  const { idle, spec } = server
  if (idle?.millis !== spec.idleMillis) setIdle(server, spec.idleMillis)
}

const setIdle = (server: Server, millis: number | undefined): void => {
  stopIdling(server)
  server.idle = millis === undefined ? undefined : new IdleDeadline(server, millis)
}

/** @internal */
export const stopIdling = ({ idle }: Server): void => {
  if (idle === undefined) return
  disarm(idle)
  idle.isDue = false
}

// ---- turns --------------------------------------------------------------------------------------------------------

/** @internal */
export class TurnLimit implements Deadline {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  private hasCrashed = false
  private readonly server: Server
  /** The message of the turn. */
  private readonly message: Envelope | undefined
  private readonly millis: number
  constructor(server: Server, message: Envelope | undefined, millis: number) {
    this.server = server
    this.message = message
    this.millis = millis
  }
  arm(): this {
    armUnsafe(this, this.server.record.fiber!, this.millis)
    return this
  }
  expire(): void {
    const { message, millis, server } = this
    const { record } = server
    // The server has crashed by this limit, but the turn could not be interrupted. It is killed now.
    if (this.hasCrashed) return kill(record, record.exiting)
    // A signal was faster.
    if (!record.isOpen) return
    this.hasCrashed = true
    const turn = { server: displayName(record), request: requestOf(server, message) }
    crashTurn(server, Cause.die(new TurnTimeout({ ...turn, timeout: Duration.millis(millis) })))
    this.arm()
  }
}

/** Starts the limit of a turn that takes more than one step. A turn of one step cannot be limited. @internal */
export const limitTurn = (server: Server, message: Envelope | undefined): void => {
  const millis = server.spec.turnMillis
  if (millis === undefined || server.turnLimit !== undefined || !server.record.isOpen) return
  server.turnLimit = new TurnLimit(server, message, millis).arm()
}

/** @internal */
export const endTurnLimit = (server: Server): void => {
  if (server.turnLimit !== undefined) disarm(server.turnLimit)
  server.turnLimit = undefined
}

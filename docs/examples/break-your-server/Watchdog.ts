/**
 * Finds rooms that hang: a handler that never returns is no crash, so no supervisor hears of it.
 *
 * A room that has had work for a whole interval and has finished nothing in it is killed; its supervisor starts it anew.
 */
import { Effect, Option } from "effect"
import { type Pid, Process } from "effect-otp"
import { Rooms } from "./Rooms.ts"

const INTERVAL = "500 millis"

export const watchdog = Effect.gen(function* () {
  const rooms = yield* Rooms
  let finishedBefore = new Map<Pid.Pid, number>()
  while (true) {
    const finishedNow = new Map<Pid.Pid, number>()
    for (const { pid } of yield* rooms.whichChildren) {
      const info = pid === undefined ? Option.none() : yield* Process.info(pid)
      if (Option.isNone(info)) continue
      const { accepted, pending } = info.value.messages
      const finished = accepted - pending
      if (pending > 0 && finishedBefore.get(info.value.pid) === finished) yield* Process.kill(info.value.pid)
      finishedNow.set(info.value.pid, finished)
    }
    finishedBefore = finishedNow
    yield* Effect.sleep(INTERVAL)
  }
})

/**
 * What must and what must not compile about plain processes. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics missingEffectContext:off
import { Effect } from "effect"
import { type Pid, Process, type Signal } from "effect-otp/kernel"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

const body = (inbox: Process.Inbox<"ping" | "pong">) =>
  Effect.gen(function* () {
    same<typeof inbox.pid, Pid.Pid<"ping" | "pong">>(true)
    // It may send to itself, and give others its pid with the type of its messages.
    yield* Process.send(inbox.pid, "ping")
    // @ts-expect-error the process accepts only its own messages
    yield* Process.send(inbox.pid, "pang")
    const message = yield* inbox.take
    same<typeof message, "ping" | "pong" | Signal.Signal>(true)
    yield* Process.trapExit(true)
  })

export const program = Effect.gen(function* () {
  const pid = yield* Process.spawn(body)
  same<typeof pid, Pid.Pid<"ping" | "pong">>(true)
  yield* Process.send(pid, "pong")
  // @ts-expect-error the process accepts only its own messages
  yield* Process.send(pid, 1)
  // A process without an inbox takes no messages.
  const deaf = yield* Process.spawn(Effect.never)
  // @ts-expect-error it accepts no messages
  yield* Process.send(deaf, "ping")
})

same<typeof program, Effect.Effect<void>>(true)

// @ts-expect-error only a process can trap exits
Effect.runFork(Process.trapExit(true))

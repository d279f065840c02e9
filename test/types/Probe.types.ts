/**
 * What must and what must not compile about probes and test kernels. Checked by `tsc`; nothing here runs.
 */
import { Effect, type Scope } from "effect"
import { type ExitReason, type Pid, Process, type Signal } from "effect-otp/kernel"
import { Probe, TestKernel } from "effect-otp/testing"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

type Message = { readonly _tag: "Up"; readonly n: number } | { readonly _tag: "Gone" }

export const test = Effect.gen(function* () {
  const probe = yield* Probe.make<Message>()
  same<typeof probe.pid, Pid.Pid<Message>>(true)
  yield* Process.send(probe.pid, { _tag: "Up", n: 1 })
  // @ts-expect-error the probe accepts only its own messages
  yield* Process.send(probe.pid, { _tag: "Down" })

  const byGuard = yield* probe.expect((message) => message._tag === "Gone")
  same<typeof byGuard, { readonly _tag: "Gone" }>(true)
  const byPredicate = yield* probe.expect((message) => message._tag === "Up" && message.n > 1)
  same<typeof byPredicate, Message>(true)
  const byValue = yield* probe.expect({ _tag: "Up", n: 1 })
  same<typeof byValue, { readonly _tag: "Up"; readonly n: 1 }>(true)
  // @ts-expect-error no message has this shape
  yield* probe.expect({ _tag: "Up" })
  // @ts-expect-error a message has no such property
  yield* probe.expect((message) => message.name === "x")

  const reason = yield* probe.expectDown(probe.pid)
  same<typeof reason, ExitReason.ExitReason>(true)
  const received = yield* probe.received
  same<typeof received, ReadonlyArray<Message | Signal.Signal>>(true)

  // A probe can do everything that needs a process.
  const link = probe.run(Process.link(probe.pid))
  same<typeof link, Effect.Effect<void, Process.NoProcess>>(true)
  return byValue.n
})

same<typeof test, Effect.Effect<1, Probe.ExpectationFailed, Scope.Scope>>(true)

// With one line it is a test: nothing is left to provide.
const alone = test.pipe(Effect.provide(TestKernel.layer))
same<typeof alone, Effect.Effect<1, Probe.ExpectationFailed>>(true)

import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import type { Pid } from "effect-otp/kernel"
import { ExitReason, Kernel, Process, Signal } from "effect-otp/kernel"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import { asProcess, idle, kernelTest, settle } from "../fixtures/kernel.ts"

const metadataOf = <E extends Telemetry.Event.Any>(event: E) =>
  Effect.gen(function* () {
    const seen: Array<Telemetry.Event.Metadata<E>> = []
    yield* Telemetry.attachScoped(`test ${event.name}`, event, (_, metadata) => void seen.push(metadata))
    return seen
  })

describe("process exit", () => {
  kernelTest(
    "is sent once, after links and monitors, with its counts",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        yield* Telemetry.attachScoped("exits", Events.processExit, (measurements, metadata) => {
          seen.push({ ...measurements, ...metadata })
        })
        const { pid, monitor } = yield* Process.spawnMonitor(
          (inbox: Process.Inbox<string>) => Effect.andThen(inbox.take, Effect.never),
          { label: "one" }
        )
        const to = pid
        yield* Process.send(to, "handled")
        yield* settle
        yield* Process.send(to, "not handled")
        yield* Process.exit(pid, ExitReason.shutdown())
        assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, pid, ExitReason.shutdown()))
        assert.deepStrictEqual(seen, [
          {
            accepted: 2,
            handled: 1,
            pid,
            displayName: "one",
            name: undefined,
            label: "one",
            reason: ExitReason.shutdown()
          }
        ])
      })
    )
  )
})

describe("dead letters", () => {
  kernelTest(
    "have receiver, sender, content and reason",
    asProcess(() =>
      Effect.gen(function* () {
        const me = yield* Process.self
        const seen = yield* metadataOf(Events.deadLetter)
        const pid = (yield* idle({ label: "gone" })) as Pid.Pid<string>
        yield* Process.kill(pid)
        yield* Process.send(pid, "late")
        const full = (yield* idle({ mailbox: { capacity: 1, strategy: "fail" } })) as Pid.Pid<string>
        yield* Process.send(full, "in")
        yield* Process.send(full, "out")
        assert.deepStrictEqual(seen, [
          {
            to: pid,
            displayName: "gone",
            name: undefined,
            label: "gone",
            from: me,
            content: "late",
            why: { _tag: "Closed", reason: ExitReason.killed }
          },
          {
            to: full,
            displayName: String(full),
            name: undefined,
            label: undefined,
            from: me,
            content: "out",
            why: { _tag: "Full" }
          }
        ])
        yield* Process.kill(full)
        assert.strictEqual(seen.length, 3)
      })
    )
  )

  kernelTest(
    "a listener that sends to a dead process causes no other",
    Effect.gen(function* () {
      const context = yield* Effect.context()
      const pid = (yield* idle()) as Pid.Pid<string>
      yield* Process.kill(pid)
      let heard = 0
      yield* Telemetry.attachScoped("loop", Events.deadLetter, () => {
        heard++
        Effect.runForkWith(context)(Process.send(pid, "again"))
      })
      yield* Process.send(pid, "once")
      yield* settle
      assert.strictEqual(heard, 1)
      // It was counted but not announced.
      const { accepted, deadLettered } = yield* Kernel.messages
      assert.deepStrictEqual({ accepted, deadLettered }, { accepted: 2, deadLettered: 2 })
    })
  )
})

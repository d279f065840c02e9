import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Schema } from "effect"
import * as Otp from "effect-otp"
import * as Testing from "effect-otp/testing"
import type { Pid } from "effect-otp/kernel"

const { ExitReason, GenServer, Name, Process, Registry, Supervisor, Sys, Task, Telemetry } = Otp

type AnyError = Error & { readonly _tag: string }

/** One of each error that this library exports. */
const samples = (pid: Pid.Pid): ReadonlyArray<AnyError> => [
  new Telemetry.AlreadyAttached({ id: "log" }),
  new Telemetry.NotAttached({ id: "log" }),
  new Process.NoProcess({ process: pid }),
  new Otp.Application.TreeFailed({ supervisor: "shop/Shop", reason: ExitReason.killed }),
  new Name.AlreadyNamed({ processName: "shop/till", pid }),
  new Name.AlreadyStarted({ processName: "shop/till", pid }),
  new Registry.AlreadyRegistered({ registry: "shop/tills", key: 1, pid }),
  new Registry.NotOwner({ registry: "shop/tills", key: 1 }),
  new Otp.Topic.Overflow({ topic: "shop/sales", capacity: 1 }),
  new GenServer.CallError({ server: "shop/Till", request: "open", reason: { _tag: "Timeout" }, started: "no" }),
  new Sys.NotAServer({ process: "shop/Shop" }),
  new Sys.WrongState({ server: "shop/Till", refusal: "state.left: is missing" }),
  new Sys.ReplaceFailed({ failure: Cause.die("odd") }),
  new Task.TaskExit({ pid, reason: ExitReason.killed }),
  new Task.TaskTimeout({ timeout: Duration.seconds(1) }),
  new GenServer.TurnTimeout({ server: "shop/Till", request: "open", timeout: Duration.seconds(1) }),
  new Otp.DynamicSupervisor.MaxChildren({ maxChildren: 1 }),
  new Otp.PartitionSupervisor.NoPartitions({ supervisor: "shop/Shop" }),
  new Supervisor.ChildNotFound({ id: "till" }),
  new Supervisor.ChildRunning({ id: "till" }),
  new Supervisor.ChildRestarting({ id: "till" }),
  new Supervisor.StartFailed({ id: "till", error: "no money" }),
  new Supervisor.SupervisorDown({ supervisor: "shop/Shop" }),
  new Otp.Application.StopTimeout({ within: Duration.seconds(1), hung: ["shop/Till"] }),
  new Testing.SeededScheduler.Stuck({ reason: "deadlock", sleeping: 0, tasks: 1 }),
  new Testing.SeededScheduler.SeedFailed({ seed: 1, failure: Cause.die("odd"), cause: "odd" }),
  new Testing.TestKernel.Leaked({ processes: [], names: ["shop/till"], timers: 0, missing: 0 }),
  new Testing.Probe.ExpectationFailed({ expected: "a sale", within: undefined, mailbox: [] }),
  new Testing.Laws.LawBroken({ law: "a law", seed: undefined, cause: "odd" })
]

/** The classes of errors that the modules export. */
const exported = (modules: object): ReadonlyArray<string> =>
  Object.values(modules)
    .flatMap((module) => Object.entries(module as Readonly<Record<string, unknown>>))
    .flatMap(([name, value]) => (typeof value === "function" && value.prototype instanceof Error ? [name] : []))

describe("an error", () => {
  it.effect("of each exported class is in the table below", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.void)
      const names = new Set([...exported(Otp), ...exported(Testing)])
      assert.deepStrictEqual(
        samples(pid)
          .map(({ _tag }) => _tag)
          .toSorted(),
        [...names].toSorted()
      )
    })
  )

  it.effect("is made with Data.TaggedError, never with a Schema", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.void)
      assert.deepStrictEqual(
        samples(pid).filter((error) => Schema.isSchema(error.constructor)),
        []
      )
    })
  )

  it.effect("is named after its class, and prints as name and message", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.void)
      for (const error of samples(pid)) {
        assert.strictEqual(error.name, error._tag)
        assert.isAbove(error.message.length, 0)
        assert.strictEqual(String(error), `${error.name}: ${error.message}`)
        assert.isTrue(error.stack?.startsWith(`${error.name}: `), error.stack)
      }
    })
  )
})

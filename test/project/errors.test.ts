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
  new GenServer.CallError({ server: "shop/Till", request: "open", reason: new GenServer.Timeout(), started: "no" }),
  new GenServer.Timeout(),
  new GenServer.NoProcess(),
  new GenServer.ServerDown({ reason: ExitReason.killed }),
  new GenServer.MailboxFull(),
  new GenServer.CallCycle({ path: ["shop/Till", "shop/Till"] }),
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
const exported = (modules: object): ReadonlyArray<Function> =>
  Object.values(modules)
    .flatMap((module) => Object.values(module as Readonly<Record<string, unknown>>))
    .filter((value) => typeof value === "function")
    .filter(({ prototype }) => prototype instanceof Error)

/** The errors that leave the program: those of a call, over `RpcServer` or `HttpApi`. */
const travel = new Set(["CallError", "Timeout", "NoProcess", "ServerDown", "MailboxFull", "CallCycle"])

describe("an error", () => {
  it.effect("of each exported class is in the table below", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.void)
      // Names of the barrel, such as those of state machines, are the same classes again.
      const classes = new Set([...exported(Otp), ...exported(Testing)])
      const sampled = new Set(samples(pid).map((error) => error.constructor))
      assert.deepStrictEqual(
        [...classes].filter((type) => !sampled.has(type)),
        []
      )
    })
  )

  it.effect("is made with Data.TaggedError, and with Schema.TaggedError if it leaves the program", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.void)
      const withSchema = samples(pid).filter((error) => Schema.isSchema(error.constructor))
      assert.deepStrictEqual(new Set(withSchema.map(({ _tag }) => _tag)), travel)
      // `Process.NoProcess` has the same name, and stays.
      assert.isFalse(Schema.isSchema(Process.NoProcess))
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

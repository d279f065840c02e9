/** What users print is one short line, and never what is behind it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Option, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import { Agent, GenServer, Kernel, Name, Process, ProcessGroup, Registry, Sys, Task, Topic } from "effect-otp"
import { TestKernel } from "effect-otp/testing"
import { inspect } from "node:util"

const SECRET = "hunter2"

class Vault extends GenServer.Service<Vault>()("printed/Vault", [
  Rpc.make("get", { success: Schema.Number }),
  Rpc.make("toString", { success: Schema.Number }),
  Rpc.make("toJSON", { success: Schema.Number })
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed({ password: SECRET, more: Array.from({ length: 100 }, (_, index) => index) }),
    handlers: {
      get: (_, state) => GenServer.reply(1, state),
      toString: (_, state) => GenServer.reply(2, state),
      toJSON: (_, state) => GenServer.reply(3, state)
    }
  })
}

class Plain extends Agent.Service<Plain, string>()("printed/Plain") {
  static readonly definition = this.define({ init: () => Effect.succeed(SECRET) })
}

const things: ReadonlyArray<
  readonly [name: string, make: Effect.Effect<unknown, unknown, Scope.Scope | Process.Self>]
> = [
  ["a pid", Effect.map(Effect.flatMap(Vault.definition.start(), GenServer.pid), Option.getOrThrow)],
  ["a client of a server with messages of such names", Vault.definition.start()],
  ["an agent", Plain.definition.start()],
  ["a definition of a server", Effect.succeed(Vault.definition)],
  ["a definition of an agent", Effect.succeed(Plain.definition)],
  ["a kernel", Kernel.Kernel],
  ["a task", Task.async(Effect.succeed(SECRET))],
  ["a registry", Effect.succeed(Registry.make<string>("printed/registry", { keys: "unique" }))],
  ["a topic", Effect.succeed(Topic.make<string>("printed/topic"))],
  ["a group", Effect.succeed(ProcessGroup.make<string>("printed/group"))],
  ["a name", Effect.succeed(Name.make("printed/name"))],
  [
    "an error with a pid",
    Effect.map(Effect.flatMap(Vault.definition.start(), GenServer.pid), (pid) => {
      const error = new Process.NoProcess({ pid: Option.getOrThrow(pid) })
      // Its stack has many lines.
      error.stack = String(error)
      return error
    })
  ]
]

/** All ways to print it. */
const texts = (thing: unknown) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    for (const logger of [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson]) {
      const written = Logger.make((options) => void lines.push(logger.log(options)))
      yield* Effect.provide(Effect.log(thing), Logger.layer([written]))
    }
    return [inspect(thing), inspect({ thing }), String(JSON.stringify({ thing })), ...lines]
  })

describe("what is printed", () => {
  it.effect.each(things)("of %s is short, and has no state in it", ([, make]) => {
    const program = Effect.gen(function* () {
      const thing = yield* make
      for (const text of yield* texts(thing)) {
        assert.notInclude(text, SECRET)
        assert.isBelow(text.length, 250, text)
        assert.isBelow(text.split("\n").length, 6, text)
      }
    })
    return Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.scoped(program))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), { _tag: "Normal" })
    }).pipe(Effect.provide(TestKernel.layer))
  })

  it.effect("a client still has its messages, and none besides", () =>
    Effect.gen(function* () {
      const vault = yield* Vault.definition.start()
      assert.deepStrictEqual(yield* Effect.all([vault.get(), vault.toString(), vault.toJSON()]), [1, 2, 3])
      const keys: Array<string> = []
      for (const key in vault) keys.push(key)
      assert.sameMembers(
        keys.filter((key) => !key.startsWith("~")),
        ["get", "toString", "toJSON"]
      )
      assert.strictEqual(inspect(vault), "Client(printed/Vault)")
      assert.strictEqual(`${inspect(yield* Sys.getState(vault)).includes(SECRET)}`, "true")
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

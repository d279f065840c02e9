/** What users print is one short line, without its contents. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Option, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import {
  Agent,
  DynamicSupervisor,
  ExitReason,
  GenServer,
  Kernel,
  Name,
  PartitionSupervisor,
  Process,
  ProcessGroup,
  Registry,
  Supervisor,
  Sys,
  Task,
  TaskSupervisor,
  Topic
} from "effect-otp"
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

class Tree extends Supervisor.Service<Tree>()("printed/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.worker("idle", Effect.never)]
}) {}
class Pool extends DynamicSupervisor.Service<Pool>()("printed/Pool", { child: Plain.definition }) {}
class Parts extends PartitionSupervisor.Service<Parts>()("printed/Parts", {
  child: Plain.definition,
  args: (): [] => []
}) {}
class Jobs extends TaskSupervisor.Service<Jobs>()("printed/Jobs") {}

const things: ReadonlyArray<
  readonly [name: string, make: Effect.Effect<unknown, unknown, Scope.Scope | Process.Self>]
> = [
  ["a pid", Effect.map(Effect.flatMap(Vault.definition.start(), GenServer.pid), Option.getOrThrow)],
  ["a client of a server with messages of such names", Vault.definition.start()],
  ["an agent", Plain.definition.start()],
  ["a definition of a server", Effect.succeed(Vault.definition)],
  ["a definition of an agent", Effect.succeed(Plain.definition)],
  ["a supervisor", Effect.provide(Tree, Tree.layer)],
  ["a dynamic supervisor", Effect.provide(Pool, Pool.layer)],
  ["a partition supervisor", Effect.provide(Parts, Parts.layer)],
  ["a task supervisor", Effect.provide(Jobs, Jobs.layer)],
  ["a kernel", Kernel.Kernel],
  ["a task", Task.async(Effect.succeed(SECRET))],
  ["a registry", Effect.succeed(Registry.make<string>("printed/registry", { keys: "unique" }))],
  ["a topic", Effect.succeed(Topic.make<string>("printed/topic"))],
  ["a group", Effect.succeed(ProcessGroup.make<string>("printed/group"))],
  ["a name", Effect.succeed(Name.make("printed/name"))],
  [
    "an error with a pid",
    Effect.map(Effect.flatMap(Vault.definition.start(), GenServer.pid), (pid) => {
      const error = new Process.NoProcess({ process: Option.getOrThrow(pid) })
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

  it.effect("a client has its messages, and no other properties", () =>
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

describe("a supervisor", () => {
  it.effect("prints as its name", () =>
    Effect.gen(function* () {
      const all = [yield* Tree, yield* Pool, yield* Parts, yield* Jobs]
      assert.deepStrictEqual(
        all.map((handle) => inspect(handle)),
        ["Tree", "Pool", "Parts", "Jobs"].map((name) => `Supervisor(printed/${name})`)
      )
    }).pipe(Effect.provide(Layer.mergeAll(Tree.layer, Pool.layer, Parts.layer, Jobs.layer)))
  )
})

describe("an error with values of a user in its fields", () => {
  const user = { password: SECRET, items: Array.from({ length: 10_000 }, (_, index) => `item ${index}`) }
  const reason = ExitReason.crash(Cause.die(Object.assign(new Error("no"), { user })))
  const pid = Effect.runSync(Process.spawn(Effect.void))

  it.effect.each<readonly [name: string, error: Error, field: string]>([
    [
      "CallError",
      new GenServer.CallError({
        server: "s",
        request: "r",
        reason: new GenServer.ServerDown({ reason }),
        started: "no"
      }),
      "reason"
    ],
    ["TaskExit", new Task.TaskExit({ pid, reason }), "reason"],
    ["StartFailed", new Supervisor.StartFailed({ id: "a", error: user }), "error"],
    ["ReplaceFailed", new Sys.ReplaceFailed({ failure: Cause.fail(user) }), "failure"],
    ["AlreadyRegistered", new Registry.AlreadyRegistered({ registry: "r", key: user, pid }), "key"],
    ["NotOwner", new Registry.NotOwner({ registry: "r", key: user }), "key"]
  ])("keeps them as they are, and prints them within limits and without secrets: %s", ([name, error, field]) =>
    Effect.gen(function* () {
      for (const text of [...(yield* texts(error)), inspect(error, { depth: 20 })]) {
        assert.notInclude(text, SECRET)
        assert.isBelow(text.length, 20_000)
      }
      // The printed text is searched once more.
      const message = error.message.replaceAll('"<redacted>"', "<redacted>")
      assert.include(inspect(error), `${name}: ${message}`)
      const json = JSON.parse(JSON.stringify(error)) as Readonly<Record<string, unknown>>
      assert.deepStrictEqual([json["_tag"], json["message"]], [name, message])
      assert.property(json, field)
      const held = (error as unknown as Readonly<Record<string, unknown>>)[field]
      const kept = held instanceof GenServer.ServerDown ? held.reason : held
      assert.include(inspect(kept, { depth: 20, maxArrayLength: 20_000 }), SECRET)
    })
  )
})

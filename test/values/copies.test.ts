/** Two copies of the library in one program, as if two versions were in one `node_modules`. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Option, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as url from "node:url"
import * as One from "effect-otp"
import { TestKernel } from "effect-otp/testing"
import { Self } from "../../src/kernel/shared/processRecord.ts"
import { version } from "../../src/values/version.ts"

const warned = vi.spyOn(console, "warn").mockImplementation(() => {})
vi.resetModules()
const Two = await import("effect-otp")
const warnings = warned.mock.calls.map(([text]) => String(text))
vi.resetModules()
await import("effect-otp")
const later = warned.mock.calls.length
warned.mockRestore()

type Otp = typeof One

/** A server that counts, calls the server it is told to, and crashes. */
const counterOf = ({ GenServer }: Otp) => {
  class Counter extends GenServer.Service<Counter>()("copies/Counter", [
    Rpc.make("next", { success: Schema.Finite }),
    Rpc.make("run", { payload: { effect: Schema.Any }, success: Schema.Any, error: Schema.Any }),
    GenServer.cast("crash")
  ]) {
    static readonly definition = this.define({
      init: () => Effect.succeed(1),
      handlers: {
        next: (_, count: number) => GenServer.reply(count, count + 1),
        run: ({ effect }, count) =>
          Effect.map(effect as Effect.Effect<unknown, unknown>, (value) => GenServer.reply(value, count)),
        crash: () => {
          throw new Error("kaboom")
        }
      }
    })
  }
  return Counter
}

const First = counterOf(One)
const Second = counterOf(Two)

const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.provide(effect, Layer.mergeAll(Logger.layer([]), One.Kernel.layer, Two.Kernel.layer)))

const defectOf = (made: () => unknown) =>
  Effect.suspend(() => {
    const effect = made()
    return Effect.isEffect(effect) ? (effect as Effect.Effect<unknown, unknown>) : Effect.succeed(effect)
  }).pipe(
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause)))
  )

const root = url.fileURLToPath(new URL("../..", import.meta.url))

const foreign = "which belongs to another copy of effect-otp: this program has loaded it twice"

describe("a second copy of the library", () => {
  it("warns once, as it is loaded, with the versions and places of both", () => {
    assert.strictEqual(warnings.length, 1)
    assert.match(
      warnings[0]!,
      new RegExp(
        `^effect-otp is loaded twice: ${version} from file:.*/src/, and ${version} from file:.*/src/\\. Processes, ` +
          "clients and supervisors of one copy are strangers to the other\\. Load one copy only: `npm ls effect-otp` " +
          "says who brings it\\.$"
      )
    )
    assert.strictEqual(later, 1)
  })

  it("knows its version, as the package has it", () => {
    const text = fs.readFileSync(path.join(root, "package.json"), "utf8")
    assert.strictEqual(version, (JSON.parse(text) as { readonly version: string }).version)
  })

  it.effect("refuses the pids, clients, tasks and definitions of the first, each with a sentence", () =>
    Effect.gen(function* () {
      const pid = yield* One.Process.spawn<never, never, never, number>(Effect.never)
      const client = yield* First.definition.start()
      const task = yield* One.Task.asyncNoLink(Effect.never)
      const timer = yield* One.Timer.sendAfter(pid, 1, "1 hour")
      const registry = One.Registry.make<string>("copies/registry", { keys: "unique" })
      const topic = One.Topic.make<number>("copies/topic")
      const uses: ReadonlyArray<readonly [text: string, use: () => unknown]> = [
        ["Process.send needs a pid", () => Two.Process.send(pid, 1)],
        ["Process.kill needs a pid or a client", () => Two.Process.kill(pid)],
        ["Process.exit needs a pid or a client", () => Two.Process.exit(pid, One.ExitReason.killed)],
        ["Process.awaitExit needs a pid or a client", () => Two.Process.awaitExit(pid)],
        ["Process.kill needs a client, as the service of a server is", () => Two.Process.kill(client)],
        ["Shutdown.shutdown needs a pid or a client", () => Two.Shutdown.shutdown(pid)],
        ["Timer.sendAfter needs a pid", () => Two.Timer.sendAfter(pid, 1, "1 second")],
        ["Timer.cancel needs a timer", () => Two.Timer.cancel(timer)],
        ["Name.register needs a pid", () => Two.Name.register(Two.Name.make<number>("copies/name"), pid)],
        ["Registry needs a registry", () => Two.Registry.count(registry)],
        ["Topic needs a topic", () => Two.Topic.publish(topic, 1)],
        ["GenServer.pid needs a client, as the service of a server is", () => Two.GenServer.pid(client)],
        ["GenServer.terminate needs a client, as the service of a server is", () => Two.GenServer.terminate(client)],
        ["Sys.getState needs a client, as the service of a server is", () => Two.Sys.getState(client)],
        ["Sys.trace needs a client, as the service of a server is", () => Stream.runDrain(Two.Sys.trace(client))],
        ["Task.await needs a task", () => Two.Task.await(task)],
        [
          "copies/Pool: child needs a definition of a server, as define gives it, or a function that makes a Layer",
          () => Two.DynamicSupervisor.Service<never>()("copies/Pool", { child: First.definition })
        ]
      ]
      for (const [text, use] of uses) {
        const error = yield* defectOf(use)
        assert.instanceOf(error, RangeError, text)
        assert.isTrue(error.message.startsWith(`${text}, not `) && error.message.endsWith(foreign), error.message)
      }
      assert.isTrue(yield* One.Process.isAlive(pid))
      yield* One.Timer.cancel(timer)
    }).pipe(quiet)
  )

  it.effect("calls servers of the first through their clients, also in a process of its own", () =>
    Effect.gen(function* () {
      const first = yield* First.definition.start()
      const second = yield* Second.definition.start()
      assert.deepStrictEqual([yield* first.next(), yield* second.run({ effect: first.next() })], [1, 2])
      // The caller is unknown to it, so it has no pid to give.
      const self = Effect.serviceOption(Self)
      assert.isTrue(Option.isNone((yield* second.run({ effect: self })) as Option.Option<unknown>))
    }).pipe(quiet)
  )

  it.effect("learns how a server of the first ends: its calls fail, and none waits for ever", () =>
    Effect.gen(function* () {
      const first = yield* First.definition.start()
      const second = yield* Second.definition.start()
      const crashing = first.run({ effect: Effect.andThen(first.crash(), Effect.die("in its turn")) })
      const error = yield* Effect.flip(second.run({ effect: Effect.asVoid(crashing) }))
      assert.strictEqual((error as One.GenServer.CallError).reason._tag, "ServerDown")
      const after = yield* Effect.flip(second.run({ effect: first.next() }))
      assert.strictEqual((after as One.GenServer.CallError).reason._tag, "NoProcess")
      // Calls in a circle over both copies end by their timeouts.
      const third = yield* First.definition.start()
      const back = second.run({ effect: third.next() }, { timeout: "1 second" })
      const round = yield* Effect.forkChild(Effect.flip(third.run({ effect: back }, { timeout: "2 seconds" })))
      yield* TestKernel.adjust("1 second")
      yield* TestKernel.adjust("1 second")
      const late = yield* Fiber.join(round)
      assert.strictEqual((late as One.GenServer.CallError).reason._tag, "Timeout")
    }).pipe(quiet)
  )

  it.effect("refuses a Layer of the first as a child: the start fails with a sentence", () =>
    Effect.gen(function* () {
      class Tree extends Two.Supervisor.Service<Tree>()("copies/Tree", {
        strategy: "oneForOne",
        children: [Two.Supervisor.child(First.definition.layer(), { id: "first" })]
      }) {}
      const error = yield* defectOf(() => Layer.build(Tree.layer))
      assert.instanceOf(error, Error)
      assert.include(error.message, foreign)
    }).pipe(quiet)
  )

  it.effect("has names and processes of its own", () =>
    Effect.gen(function* () {
      const pid = yield* One.Process.spawn(Effect.never, { label: "of the first" })
      yield* One.Name.register(One.Name.make("copies/same"), pid)
      const other = yield* Two.Process.spawn(Effect.never, { label: "of the second" })
      yield* Two.Name.register(Two.Name.make("copies/same"), other)
      assert.deepStrictEqual(yield* One.Kernel.processes, [pid])
      assert.deepStrictEqual(yield* Two.Kernel.processes, [other])
    }).pipe(quiet)
  )
})

describe("a copy in another folder", () => {
  it("is noticed when a program loads it", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-otp-"))
    try {
      fs.cpSync(path.join(root, "src"), path.join(folder, "src"), { recursive: true })
      fs.copyFileSync(path.join(root, "package.json"), path.join(folder, "package.json"))
      fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"))
      const first = url.pathToFileURL(path.join(root, "src/kernel/index.ts")).href
      const second = url.pathToFileURL(path.join(folder, "src/kernel/index.ts")).href
      const program = `await import("${first}"); await import("${second}"); console.log("loaded")`
      const run = childProcess.spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
        cwd: folder,
        encoding: "utf8"
      })
      assert.strictEqual(run.stdout, "loaded\n", run.stderr)
      const places = [first, second].map((file) => new URL("../..", file).href)
      assert.include(run.stderr, `${version} from ${places[0]}src/, and ${version} from ${places[1]}src/.`)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})

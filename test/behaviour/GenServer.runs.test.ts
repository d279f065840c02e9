/** Effects that start a server. Each run of them starts a new one. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Kernel, Process } from "effect-otp/kernel"
import { Name } from "effect-otp/naming"
import { asProcess, kernelTest } from "../fixtures/kernel.ts"
import { get, pidOf, set, start } from "./puppet.ts"

describe("a start that is run several times", () => {
  kernelTest(
    "starts a new server each time",
    Effect.gen(function* () {
      const starting = start({})
      const servers = yield* Effect.all([starting, starting, starting])
      for (const [index, server] of servers.entries()) yield* server.cast(set(index))
      const states = yield* Effect.forEach(servers, (server) => server.call(get))
      const pids = yield* Effect.forEach(servers, pidOf)
      assert.deepStrictEqual(states, [0, 1, 2])
      assert.strictEqual(new Set(pids.map((pid) => pid.id)).size, 3)
    })
  )
})

describe("a kernel that is provided inside a process", () => {
  const inner = <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.provide(program, Kernel.layer)

  kernelTest(
    "is the kernel of the servers started in it, and ends them",
    Effect.gen(function* () {
      const outside = (yield* Kernel.counts).processes
      const pid = yield* asProcess(() =>
        inner(
          Effect.scoped(
            Effect.gen(function* () {
              const server = yield* start({ name: "test/inner" })
              assert.strictEqual((yield* Kernel.counts).processes, 1)
              assert.strictEqual(yield* server.call(get), 0)
              return yield* pidOf(server)
            })
          )
        )
      )
      assert.isFalse(yield* Process.isAlive(pid))
      assert.strictEqual((yield* Kernel.counts).processes, outside)
    })
  )

  kernelTest(
    "has names of its own",
    Effect.gen(function* () {
      const outer = yield* start({ name: "test/shared" })
      yield* asProcess(() =>
        inner(
          Effect.scoped(
            Effect.gen(function* () {
              const server = yield* start({ name: "test/shared" })
              yield* server.cast(set(7))
              assert.strictEqual(yield* server.call(get), 7)
              assert.strictEqual(
                yield* Name.whereis(Name.make("test/shared")).pipe(Effect.map((found) => found._tag)),
                "Some"
              )
            })
          )
        )
      )
      assert.strictEqual(yield* outer.call(get), 0)
    })
  )
})

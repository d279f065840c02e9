/** The `AsyncLocalStorage` stores that a process has. */
import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, Kernel, Process } from "effect-otp"

const storage = new AsyncLocalStorage<string>()
const store = Effect.sync(() => storage.getStore())

describe.each([
  ["Effect's scheduler", Kernel.layer],
  ["the run queue", Layer.merge(Kernel.layer, Kernel.layerScheduler)]
] as const)("an AsyncLocalStorage store, on %s", (_, layers) => {
  it("is that of the place where the process was started, for life; a message brings none", async () => {
    const program = Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const done = yield* Deferred.make<void>()
      const start = Process.spawn((inbox: Process.Inbox<number>) =>
        Effect.gen(function* () {
          for (let i = 0; i < 2; i++) {
            yield* inbox.take
            seen.push(yield* store)
          }
          yield* Deferred.succeed(done, undefined)
        })
      )
      const context = yield* Effect.context<never>()
      const within = <A>(name: string, effect: Effect.Effect<A>) =>
        Effect.promise(() => storage.run(name, () => Effect.runPromise(Effect.provideContext(effect, context))))
      const pid = yield* within("a request", start)
      yield* Process.send(pid, 1)
      yield* within("another request", Process.send(pid, 2))
      yield* Deferred.await(done)
      assert.deepStrictEqual(seen, ["a request", "a request"])
    })
    await Effect.runPromise(Effect.provide(program, layers))
  })

  it("is, for a dynamic child, that of the request that started it, for life", async () => {
    class Room extends GenServer.Service<Room>()("async/Room", [Rpc.make("store", { success: Schema.String })]) {
      static readonly definition = this.define({
        init: () => Effect.void,
        handlers: {
          store: (_, state) => Effect.map(store, (found) => GenServer.reply(found ?? "none", state))
        }
      })
    }
    class Rooms extends DynamicSupervisor.Service<Rooms>()("async/Rooms", { child: Room.definition }) {}
    const program = Effect.gen(function* () {
      const rooms = yield* Rooms
      const context = yield* Effect.context<never>()
      const within = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
        Effect.promise(() => storage.run(name, () => Effect.runPromise(Effect.provideContext(effect, context))))
      const room = yield* within("a request", rooms.startChild("lobby"))
      const first = yield* within("another request", room.store())
      const second = yield* within("a third request", room.store())
      return [first, second]
    })
    const seen = await Effect.runPromise(Effect.provide(program, Layer.provideMerge(Rooms.layer, layers)))
    assert.deepStrictEqual(seen, ["a request", "a request"])
  })
})

/** Our names and registries. */
import { Deferred, Effect, Option } from "effect"
import { Name, Process, Registry } from "effect-otp"
import { check, perSecond, type Arms } from "../arm.ts"

/** Runs a work inside a process, and waits for it. */
const inProcess = (work: Effect.Effect<unknown, unknown, Process.Self>) =>
  Effect.gen(function* () {
    const done = yield* Deferred.make<unknown, unknown>()
    yield* Process.spawn(Effect.flatMap(Effect.exit(work), (exit) => Deferred.done(done, exit)))
    return yield* Deferred.await(done)
  })

const Counter = Name.make("bench/counter")

const whereis = (count: number) =>
  Effect.gen(function* () {
    const pid = yield* Effect.acquireRelease(Process.spawn(Effect.never), Process.kill)
    yield* Name.register(Counter, pid)
    return Effect.gen(function* () {
      for (let i = 1; i < count; i++) yield* Name.whereis(Counter)
      yield* check("whereis", Option.getOrUndefined(yield* Name.whereis(Counter)), pid)
    })
  })

const registered = (count: number) => {
  const Keys = Registry.make<number>("bench/keys", { keys: "unique" })
  return Effect.succeed(
    inProcess(
      Effect.gen(function* () {
        for (let i = 0; i < count; i++) yield* Registry.register(Keys, i)
        yield* check("registrations", yield* Registry.count(Keys), count)
      })
    )
  )
}

const lookedUp = (count: number) =>
  Effect.gen(function* () {
    const Keys = Registry.make<number>("bench/keys", { keys: "unique" })
    const pid = yield* Effect.acquireRelease(Process.spawn(Effect.never), Process.kill)
    for (let i = 0; i < count; i++) yield* Registry.registerFor(Keys, pid, i)
    return Effect.gen(function* () {
      for (let i = 1; i < count; i++) yield* Registry.lookup(Keys, i)
      yield* check("lookup", (yield* Registry.lookup(Keys, 0))[0]?.pid, pid)
    })
  })

export const namingArms: Arms = {
  whereis_per_s: perSecond(1_000_000, whereis),
  register_per_s: perSecond(100_000, registered),
  lookup_per_s: perSecond(100_000, lookedUp)
}

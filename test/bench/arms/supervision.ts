/** Our supervisors. Nothing is logged, as on the BEAM's side, but crash reports are made. */
import { Context, Deferred, Effect, Exit, Layer, References, Scope } from "effect"
import { DynamicSupervisor, GenServer, Supervisor } from "effect-otp"
import { microsEach, millis, perSecond, type Arms } from "../arm.ts"

/** Called by each server that comes up. */
let cameUp = (): void => {}

/** Waits until this many servers have come up, counted from now. */
const ups = (count: number): Effect.Effect<void> => {
  const all = Deferred.makeUnsafe<void>()
  let left = count
  cameUp = () => {
    if (--left === 0) Deferred.doneUnsafe(all, Exit.void)
  }
  return Deferred.await(all)
}

class Fragile extends GenServer.Service<Fragile>()("bench/Fragile", [GenServer.cast("crash")]) {
  static readonly definition = this.define({
    init: () => Effect.sync(() => cameUp()),
    handlers: { crash: () => Effect.die(new Error("crash")) }
  })
  static readonly layer = this.definition.layer()
}

type Client = (typeof Fragile)["Service"]

class One extends Supervisor.Service<One>()("bench/One", {
  strategy: "oneForOne",
  children: [Supervisor.child(Fragile.layer)]
}) {}

class Many extends DynamicSupervisor.Service<Many>()("bench/Many", {
  child: Fragile.definition,
  intensity: { max: 1_000_000, within: "5 seconds" }
}) {}

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** Starts a supervisor with this many children. */
const many = (count: number) =>
  Effect.gen(function* () {
    const supervisor = Context.get(yield* Layer.build(Many.layer), Many)
    const clients: Array<Client> = []
    for (let i = 0; i < count; i++) clients.push(yield* supervisor.startChild(String(i)))
    return clients
  }).pipe(quiet)

/** Starts this many supervisors with one child each. */
const ones = (count: number) =>
  Effect.gen(function* () {
    const clients: Array<Client> = []
    for (let i = 0; i < count; i++) clients.push(Context.get(yield* Layer.build(One.layer), Fragile))
    return clients
  }).pipe(quiet)

/** Crashes each of them and waits until all are up again. */
const crashAll = (clients: ReadonlyArray<Client>) =>
  Effect.gen(function* () {
    const restarted = ups(clients.length)
    for (const client of clients) yield* client.crash()
    yield* restarted
  })

const stopped = (count: number) =>
  Effect.gen(function* () {
    const scope = Scope.makeUnsafe()
    yield* Scope.provide(many(count), scope)
    return Scope.close(scope, Exit.void)
  })

const once = { warmups: 1, repetitions: 1 }

const at = (children: number): Arms => {
  // Each size gets the same time to warm up. So the difference that is left is what grows with the number of children.
  const options = children < 100_000 ? { warmups: 100_000 / children / 5, repetitions: 5 } : once
  return {
    [`start_child_us_at_${children}`]: microsEach(children, (count) => Effect.succeed(many(count)), options),
    [`crash_restart_us_at_${children}`]: microsEach(children, (count) => Effect.map(many(count), crashAll), options),
    [`stop_child_us_at_${children}`]: microsEach(children, stopped, options)
  }
}

export const supervisionArms: Arms = {
  start_child_per_s: perSecond(20_000, (count) => Effect.succeed(many(count)), once),
  crash_restart_per_s: perSecond(1_000, (count) => Effect.map(ones(count), crashAll), once),
  crash_restart_one_supervisor_per_s: perSecond(1_000, (count) => Effect.map(many(count), crashAll)),
  // The same work, compared with two supervisors of the BEAM: `simple_one_for_one` and a DynamicSupervisor.
  stop_20000_children_ms: millis(20_000, stopped, once),
  stop_20000_dynamic_children_ms: millis(20_000, stopped, once),
  // The two ends show whether the time stays flat.
  ...at(1_000),
  ...at(100_000)
}

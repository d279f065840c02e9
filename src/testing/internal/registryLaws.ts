/** The laws of every registry: processes are found under keys, and each is gone from its keys when it is dead. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe } from "../../values/describe.ts"
import type { Pid } from "../../kernel/Pid.ts"
import * as Process from "../../kernel/Process.ts"
import * as Probe from "../Probe.ts"
import { holds, lawMaker, type Law, type LawOptions } from "./law.ts"

/** @internal */
export interface RegistrySubject<K> extends LawOptions {
  readonly unique: boolean
  readonly keys: readonly [K, K]
  readonly register: (key: K) => Effect.Effect<unknown, unknown, Process.Self>
  readonly unregister: (key: K) => Effect.Effect<unknown, unknown, Process.Self>
  readonly lookup: (key: K) => Effect.Effect<Iterable<Pid>, unknown>
}

type How = "normally" | "by a crash" | "by a kill"

/** @internal */
export const registryLaws = <K>(subject: RegistrySubject<K>): ReadonlyArray<Law> => {
  const world = new World(subject)
  return [
    ...keyLaws(world),
    ...(subject.unique ? uniqueLaws(world) : duplicateLaws(world)),
    frees(world, "normally"),
    frees(world, "by a crash"),
    frees(world, "by a kill")
  ]
}

class World<K> {
  readonly subject: RegistrySubject<K>
  readonly law: ReturnType<typeof lawMaker>

  constructor(subject: RegistrySubject<K>) {
    this.subject = subject
    this.law = lawMaker(subject)
  }

  isAt(key: K, pids: ReadonlyArray<Pid>, when: string) {
    return Effect.flatMap(this.subject.lookup(key), (found) => {
      const all = [...found]
      const same = all.length === pids.length && all.every((pid, index) => pid === pids[index])
      return holds(same, `${when} there are [${all.join(", ")}] under the key, not [${pids.join(", ")}]`)
    })
  }

  /** A process that has registered, or tried to, and ends when it is told to. */
  owner(key: K) {
    const { register } = this.subject
    return Effect.gen(function* () {
      const registered = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const orders = yield* Deferred.make<How>()
      const pid = yield* Process.spawn(
        Effect.gen(function* () {
          yield* Deferred.succeed(registered, yield* Effect.exit(register(key)))
          if ((yield* Deferred.await(orders)) === "by a crash") return yield* Effect.die(new Error("told to"))
        })
      )
      const exit = yield* Deferred.await(registered)
      const end = (how: How) => (how === "by a kill" ? Process.kill(pid) : Deferred.succeed(orders, how))
      return { pid, exit, end }
    })
  }
}

/** Laws with one process at a time under a key. */
const keyLaws = <K>(world: World<K>): ReadonlyArray<Law> => {
  const { keys, register, unregister } = world.subject
  const [key, other] = keys
  return [
    world.law(
      "a process is found under its key, and under no other",
      Effect.gen(function* () {
        const probe = yield* Probe.make()
        yield* world.isAt(key, [], "at first")
        yield* probe.run(register(key))
        yield* world.isAt(key, [probe.pid], "after it has registered")
        yield* world.isAt(other, [], "where nobody has registered")
      })
    ),
    world.law(
      "a key that was given up is free at once",
      Effect.gen(function* () {
        const [first, second] = [yield* Probe.make(), yield* Probe.make()]
        yield* first.run(register(key))
        yield* first.run(unregister(key))
        yield* world.isAt(key, [], "after it was given up")
        yield* second.run(register(key))
        yield* world.isAt(key, [second.pid], "after somebody else has registered")
      })
    ),
    world.law(
      "two keys do not affect each other",
      Effect.gen(function* () {
        const [first, second] = [yield* Probe.make(), yield* Probe.make()]
        yield* first.run(register(key))
        yield* second.run(register(other))
        yield* first.run(unregister(key))
        yield* world.isAt(key, [], "after it was given up")
        yield* world.isAt(other, [second.pid], "after the other key was given up")
      })
    )
  ]
}

const uniqueLaws = <K>(world: World<K>): ReadonlyArray<Law> => {
  const [key] = world.subject.keys
  return [
    world.law(
      "a key has one process: the second one is refused, and the first stays",
      Effect.gen(function* () {
        const first = yield* world.owner(key)
        const second = yield* world.owner(key)
        yield* holds(Exit.isFailure(second.exit), "the second was not refused")
        yield* world.isAt(key, [first.pid], "after a second one has tried")
        yield* Effect.forEach([first, second], ({ end }) => end("normally"))
      })
    ),
    world.law(
      "one of many processes that want a free key gets it",
      Effect.gen(function* () {
        const one = world.owner(key)
        const all = yield* Effect.forEach(Array.from({ length: 8 }), () => one, { concurrency: "unbounded" })
        const winners = all.filter(({ exit }) => Exit.isSuccess(exit))
        yield* holds(winners.length === 1, `${winners.length} have got it`)
        yield* world.isAt(key, [winners[0]!.pid], "after the race")
        yield* Effect.forEach(all, ({ end }) => end("normally"))
      })
    )
  ]
}

const duplicateLaws = <K>(world: World<K>): ReadonlyArray<Law> => {
  const [key] = world.subject.keys
  return [
    world.law(
      "a key has any number of processes, in the order they came",
      Effect.gen(function* () {
        const [a, b, c] = [yield* world.owner(key), yield* world.owner(key), yield* world.owner(key)]
        yield* world.isAt(key, [a.pid, b.pid, c.pid], "after three have registered")
        yield* b.end("by a kill")
        yield* world.isAt(key, [a.pid, c.pid], "after one of three has died")
        yield* Effect.forEach([a, c], ({ end }) => end("normally"))
      })
    )
  ]
}

const frees = <K>(world: World<K>, how: How): Law => {
  const [key] = world.subject.keys
  return world.law(
    `a process that ends ${how} has left its key before anybody hears of the end`,
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      // Several times: no process that comes after a death may be refused.
      for (let generation = 0; generation < 3; generation++) {
        const { end, exit, pid } = yield* world.owner(key)
        yield* holds(Exit.isSuccess(exit), `the key of a dead process was refused: ${describe(exit)}`)
        yield* world.isAt(key, [pid], "after it has registered")
        yield* probe.monitor(pid)
        yield* end(how)
        yield* probe.expectDown(pid)
        yield* world.isAt(key, [], "after its Down")
      }
    })
  )
}

import { describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, Name, Process, ProcessGroup, Registry, Topic } from "effect-otp"
import { Laws } from "effect-otp/testing"

const Unique = Registry.make<string>("test/laws/unique", { keys: "unique" })
const Duplicate = Registry.make<{ readonly id: number }>("test/laws/duplicate", { keys: "duplicate" })
const Group = ProcessGroup.make<string>("test/laws/group")
const Room = Topic.family<string, never>("test/laws/room")
const Named = (key: string) => Name.make(`test/laws/${key}`)

const registries = {
  "a registry with unique keys": Laws.registry({
    unique: true,
    keys: ["a", "b"],
    register: (key) => Registry.register(Unique, key),
    unregister: (key) => Registry.unregister(Unique, key),
    lookup: (key) => Effect.map(Registry.lookup(Unique, key), (found) => found.map(({ pid }) => pid))
  }),
  "a registry with duplicate keys": Laws.registry({
    unique: false,
    keys: [{ id: 1 }, { id: 2 }],
    register: (key) => Registry.register(Duplicate, { ...key }),
    unregister: (key) => Registry.unregister(Duplicate, { ...key }),
    lookup: (key) => Effect.map(Registry.lookup(Duplicate, { ...key }), (found) => found.map(({ pid }) => pid))
  }),
  "a name": Laws.registry({
    unique: true,
    keys: ["a", "b"],
    register: (key) => Effect.flatMap(Process.self, (pid) => Name.register(Named(key), pid)),
    unregister: (key) => Name.unregister(Named(key)),
    lookup: (key) => Effect.map(Name.whereis(Named(key)), Option.toArray)
  }),
  "a group": Laws.registry({
    unique: false,
    keys: ["a", "b"],
    register: (key) => ProcessGroup.join(Group, key),
    unregister: (key) => ProcessGroup.leave(Group, key),
    lookup: (key) => ProcessGroup.members(Group, key)
  }),
  "a topic": Laws.registry({
    unique: false,
    keys: ["a", "b"],
    register: (key) => Topic.subscribe(Room(key)),
    unregister: (key) => Topic.unsubscribe(Room(key)),
    lookup: (key) => Topic.subscribers(Room(key))
  })
}

class Desk extends GenServer.Service<Desk>()("test/laws/Desk", [
  Rpc.make("ask", { success: Schema.Number }),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    name: Registry.via(Unique, "desk"),
    init: () => Effect.succeed(1),
    handlers: { ask: (_, n) => GenServer.reply(n, n), crash: () => Effect.die("asked to") }
  })
}

const start = Effect.as(Desk.definition.start(), Desk.via(Registry.via(Unique, "desk")))

const server = Laws.server({
  start,
  ask: (desk) => desk.ask(),
  crash: (desk) => desk.crash()
})

for (const [what, laws] of Object.entries({ ...registries, "a server called through its key": server })) {
  describe(what, () => {
    for (const law of laws) it.effect(law.name, () => law.run)
  })
}

/**
 * The chat: everything but its HTTP side.
 *
 * Each child fails alone. A storage that gives up takes the whole chat down, on purpose: what ten new databases in a
 * second do not cure, a new operating-system process may.
 */
import * as Schedule from "effect/Schedule"
import * as Supervisor from "effect-otp/supervision/Supervisor"
import { Rooms } from "./Rooms.ts"
import { Sessions } from "./Sessions.ts"
import { Storage } from "./Storage.ts"
import { backOff, Weather } from "./Weather.ts"

export class Chat extends Supervisor.Service<Chat>()("demo/Chat", {
  strategy: "oneForOne",
  children: [
    Supervisor.child(Storage.layer, { id: "storage", schedule: Schedule.recurs(0) }),
    Supervisor.child(Rooms.layer, { id: "rooms" }),
    Supervisor.child(Sessions.layer, { id: "sessions" }),
    Supervisor.child(Weather.layer, { id: "weather", schedule: backOff })
  ]
}) {}

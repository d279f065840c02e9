/**
 * The chat without its HTTP side.
 *
 * Each child fails alone. If the storage gives up, the whole chat ends, on purpose: a new operating-system process may
 * repair what several new databases in a second did not.
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

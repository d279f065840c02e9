/** What topics announce by telemetry. `Events` says what the event means. */
import * as Telemetry from "../../telemetry/Telemetry.ts"

export const topicDropped = Telemetry.event<
  { readonly count: number },
  { readonly topic: string; readonly capacity: number; readonly strategy: "dropping" | "sliding" | "fail" }
>("otp.topic.dropped")

/** The telemetry event of topics. `Events` says what it means. */
import * as Telemetry from "../../telemetry/Telemetry.ts"

export const topicDropped = Telemetry.event<
  { readonly count: number },
  { readonly topic: string; readonly capacity: number; readonly strategy: "dropping" | "sliding" | "fail" }
>("otp.topic.dropped")

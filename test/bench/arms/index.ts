/** Every arm that runs in Node, in the order of the report. */
import type { Arms } from "../arm.ts"
import { agentArms } from "./agent.ts"
import { busyArms } from "./busy.ts"
import { machineArms } from "./machine.ts"
import { namingArms } from "./naming.ts"
import { observerArms } from "./observer.ts"
import { processArms } from "./process.ts"
import { rawArms } from "./raw.ts"
import { serverArms } from "./server.ts"
import { supervisionArms } from "./supervision.ts"
import { taskArms } from "./task.ts"

export const arms: Arms = {
  ...serverArms,
  ...agentArms,
  ...machineArms,
  ...busyArms,
  ...processArms,
  ...namingArms,
  ...supervisionArms,
  ...taskArms,
  ...observerArms,
  ...rawArms
}

/** The checked options of a dynamic supervisor. */
import type { Limit } from "../../../kernel/Shutdown.ts"
import type { ProcessView } from "../../../kernel/shared/processView.ts"
import type { Restart } from "../../RestartPolicy.ts"
import type { ChildStarter } from "./dynamicChild.ts"
import type * as Intensity from "../core/intensity.ts"
import type { RestartSteps } from "../child/restartSchedule.ts"

/** @internal */
export interface DynamicSpec {
  readonly id: string
  /** What listings show of it. */
  readonly listedAs: ProcessView
  readonly starter: ChildStarter
  readonly restart: Restart
  /** Undefined if failures are not counted. */
  readonly intensity: Intensity.IntensityLimit | undefined
  readonly steps: () => RestartSteps | undefined
  /** Undefined: 5 seconds, and no limit for a supervisor. */
  readonly limit: Limit | undefined
  readonly maxChildren: number
}

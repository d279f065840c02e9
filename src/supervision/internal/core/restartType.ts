/** Which endings of a child a restart follows. */
import * as Check from "../../../values/check.ts"
import type { Restart } from "../../RestartPolicy.ts"

/** Whether a child that ended by itself is started again. */
export const restartsAfter = (restart: Restart, expected: boolean): boolean =>
  restart === "permanent" || (restart === "transient" && !expected)

/**
 * Throws a `RangeError` for an unknown restart type. JavaScript code, or options that were read from somewhere, may
 * give one.
 */
export const checkedRestart = (restart: Restart): Restart =>
  Check.oneOf("supervisor: restart", restart, ["permanent", "transient", "temporary"])

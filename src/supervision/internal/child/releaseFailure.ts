/** The report of a Layer whose finalizer died. */
import type * as Cause from "effect/Cause"
import type { ChildRunOptions } from "./childRunOptions.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import { warn } from "../../../kernel/shared/warnings.ts"

/** @internal */
export const warnReleaseFailed = (
  { context, id, parent }: Pick<ChildRunOptions, "context" | "id" | "parent">,
  cause: Cause.Cause<unknown>
): void => {
  const text = `${displayName(parent)}: child ${id} failed while it released what it held`
  warn({ kernel: parent.kernel, context }, `${displayName(parent)} ${id}`, () => ({ text, cause }), "Error")
}

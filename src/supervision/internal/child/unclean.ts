/** What is told of a Layer with a finalizer that died. */
import type * as Cause from "effect/Cause"
import { displayName, warn } from "../../../kernel/shared/processRecord.ts"
import type { ChildRunOptions } from "./childRunOptions.ts"

/** @internal */
export const warnUnclean = (
  { context, id, parent }: Pick<ChildRunOptions, "context" | "id" | "parent">,
  cause: Cause.Cause<unknown>
): void => {
  const text = `${displayName(parent)}: child ${id} was not released cleanly`
  warn({ kernel: parent.kernel, context }, `${displayName(parent)} ${id}`, () => ({ text, cause }), "Error")
}

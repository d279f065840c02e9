/** Explains errors that were caused by changing a frozen value. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import { isInstance, read, stackOf } from "../../../values/describe.ts"

/** The messages of such errors in V8, JavaScriptCore and SpiderMonkey. */
const patterns = [
  /read.?only property/i,
  /is read-only/i,
  /not extensible/i,
  /non-extensible/i,
  /cannot delete property/i,
  /unconfigurable property/i,
  /non-configurable/i,
  /is non-writable/i
]

const hint =
  "messages and states are frozen in development (Kernel.layerDevelopment): answer with a new value, or copy what is " +
  "to be changed"

/** The same cause, with a hint in each error that was caused by changing a frozen value. @internal */
export const explainFrozen = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
  cause.reasons.some(isFrozenError)
    ? Cause.fromReasons(cause.reasons.map((reason) => (isFrozenError(reason) ? explained(reason) : reason)))
    : cause

type TypeErrorReason = Cause.Die & { readonly defect: TypeError }

const isFrozenError = (reason: Cause.Reason<unknown>): reason is TypeErrorReason => {
  if (reason._tag !== "Die" || !isInstance(reason.defect, TypeError)) return false
  const message = read(reason.defect, "message")
  return typeof message === "string" && patterns.some((pattern) => pattern.test(message))
}

const explained = ({ annotations, defect }: TypeErrorReason): Cause.Die => {
  const error = new TypeError(`${defect.message}: ${hint}`, { cause: defect })
  // The stack still points to the line that changed the value.
  const stack = stackOf(defect)
  if (stack !== undefined) error.stack = stack.replace(defect.message, () => error.message)
  return Cause.makeDieReason(error).annotate(Context.makeUnsafe(new Map(annotations)))
}

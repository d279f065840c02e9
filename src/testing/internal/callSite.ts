/** Where a test asked for something: a failure should point there, and not into this library. */

/** The stack of who calls this function; empty where the host cannot tell. Rendered only when asked for. @internal */
export const callSite = (callee: (...args: never) => unknown): (() => string) => {
  const holder: { stack?: string } = {}
  if ("captureStackTrace" in Error) Error.captureStackTrace(holder, callee)
  return () => holder.stack?.replace(/^.*\n?/, "") ?? ""
}

/** Lets an error point to a place; to none if there are no frames. @internal */
export const pointTo = <E extends Error>(error: E, frames: string): E =>
  Object.defineProperty(error, "stack", { value: `${error.name}: ${error.message}\n${frames}` })

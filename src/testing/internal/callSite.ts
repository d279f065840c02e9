/** The place in a test that asked for something. A failure should point there, and not into this library. */

/** The stack of the caller of `callee`. Empty if the host cannot tell. It is rendered only when asked for. @internal */
export const callSite = (callee: (...args: never) => unknown): (() => string) => {
  const holder: { stack?: string } = {}
  if ("captureStackTrace" in Error) Error.captureStackTrace(holder, callee)
  return () => holder.stack?.replace(/^.*\n?/, "") ?? ""
}

/** Makes an error point to a place, or to none if there are no frames. @internal */
export const pointTo = <E extends Error>(error: E, frames: string): E =>
  Object.defineProperty(error, "stack", { value: `${error.name}: ${error.message}\n${frames}` })

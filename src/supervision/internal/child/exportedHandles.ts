/** The handles that leave a child. There is one object for each server, so clients can be compared. */
import * as Context from "effect/Context"
import { printAs } from "../../../values/printAs.ts"
import { TypeId as HandleTypeId, type Handle } from "../../../kernel/Handle.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** The first handle of each target. A target stays the same across restarts, and so does its handle. */
const known = new WeakMap<object, Handle<never>>()

/**
 * The handles in what was built. Only they leave a child, because anything else would be stale after a restart.
 * @internal
 */
export const handlesOf = (built: Context.Context<never>): Context.Context<never> => {
  const handles = new Map<string, unknown>()
  for (const [key, value] of built.mapUnsafe) {
    if (isHandle(value)) handles.set(key, sameAsBefore(value))
  }
  return Context.makeUnsafe(handles)
}

/** Makes a supervisor print as its name, and not as a list of functions. @internal */
export const printHandle = <H extends Handle<never> | { readonly [HandleTypeId]: HandleTarget }>(handle: H): H =>
  printAs(handle, (self) => `Supervisor(${self[HandleTypeId].key})`)

const isHandle = (value: unknown): value is Handle<never> =>
  typeof value === "object" && value !== null && HandleTypeId in value

const sameAsBefore = (handle: Handle<never>): Handle<never> => {
  const target = handle[HandleTypeId]
  const before = known.get(target)
  if (before === undefined) known.set(target, handle)
  return before ?? handle
}

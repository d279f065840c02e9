/** The handles that leave a child, one object for each server: its clients can be compared. */
import * as Context from "effect/Context"
import { printAs } from "../../../values/printed.ts"
import { TypeId as HandleTypeId, type Handle, type HandleTarget } from "../../../kernel/Handle.ts"

/** By target, which stays the same across restarts. The first one given out is given out again. */
const known = new WeakMap<object, Handle<never>>()

/** Only handles leave a child: anything else in what was built would be stale after a restart. @internal */
export const handlesOf = (built: Context.Context<never>): Context.Context<never> => {
  const handles = new Map<string, unknown>()
  for (const [key, value] of built.mapUnsafe) {
    if (isHandle(value)) handles.set(key, sameAsBefore(value))
  }
  return Context.makeUnsafe(handles)
}

/** A supervisor prints as its name, and not as a list of functions. @internal */
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

/**
 * Freezes plain data deeply, so that code that changes it in place throws at once.
 *
 * It freezes arrays, plain records, and instances of Effect's `Data` and `Schema` classes. It does not touch anything
 * else: effects, fibers, handles, pids, errors, maps, dates, buffers, other classes. A record with a function in it is
 * a service rather than data, and is not frozen either. The value in an `Option` or `Result` is frozen, the `Option` or
 * `Result` itself is not.
 */
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { isInstance } from "../../values/describe.ts"

/** Values that were frozen before. They are not walked again. */
const known = new WeakSet<object>()

/** The symbol by which a `Schema` class says that its instances are values. */
const isValueClass = Symbol.for("immer-draftable")

/** @internal */
export const deepFreeze = (value: unknown): void => {
  const open: Array<unknown> = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== "object" || next === null || known.has(next)) continue
    try {
      look(next, open)
    } catch {
      // Looking at a value may run a user's code, that of a proxy for example. If it throws, the value is left alone.
    }
  }
}

const look = (next: object, open: Array<unknown>): void => {
  if (Option.isOption(next)) {
    if (next._tag === "Some") open.push(next.value)
  } else if (Result.isResult(next)) open.push(next._tag === "Success" ? next.success : next.failure)
  else if (isData(next)) freeze(next, open)
}

const freeze = (value: object, open: Array<unknown>): void => {
  const fields: Array<unknown> = []
  for (const { value: field } of Object.values(Object.getOwnPropertyDescriptors(value))) {
    if (typeof field === "function") return
    fields.push(field)
  }
  known.add(value)
  Object.freeze(value)
  for (const field of fields) open.push(field)
}

const isValueClassInstance = (value: { readonly constructor?: unknown }): boolean =>
  (value.constructor as { readonly [isValueClass]?: unknown } | undefined)?.[isValueClass] === true

/** Whether it is plain data: an array, a record, or an instance of Effect's `Data` and `Schema` classes. @internal */
export const isData = (value: object): boolean => {
  if (Array.isArray(value)) return true
  const proto: unknown = Object.getPrototypeOf(value)
  if (proto === Object.prototype || proto === null) return true
  if (isInstance(value, Error)) return false
  return value instanceof Data.Class || isValueClassInstance(value)
}

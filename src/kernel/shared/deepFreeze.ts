/**
 * Freezes plain data through and through, so that whoever changes it in place throws at once.
 *
 * Frozen are arrays, plain records, and instances of Effect's `Data` and `Schema` classes. Everything else is
 * somebody's object and is left alone: effects, fibers, handles, pids, errors, maps, dates, buffers, other classes.
 * So is a record with a function in it, which is a service rather than data. What an `Option` holds is looked at, the
 * `Option` is not.
 */
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { isInstance } from "../../values/describe.ts"

/** What was frozen before is not walked again. */
const known = new WeakSet<object>()

/** By which a class of `Schema` says that its instances are values. */
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
      // A look runs code of a user, a proxy's for example. What cannot be looked at is left alone.
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

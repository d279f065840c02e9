/**
 * How objects of this library print: one short line, and never what they hold.
 *
 * `console.log` and Effect's loggers print an object with all its fields, and so the state behind a handle. `String` and
 * `JSON.stringify` ask for `toString` and `toJSON`.
 */
import { NodeInspectSymbol } from "effect/Inspectable"
import { renderError } from "./render.ts"

/** Lets an object, or all that have it as their prototype, print as this text. Methods it has already stay. */
export const printAs = <A extends object>(object: A, text: (self: A) => string): A => {
  const print = function (this: A): string {
    return text(this)
  }
  for (const key of ["toString", "toJSON", NodeInspectSymbol]) {
    if (Object.hasOwn(object, key)) continue
    // Not enumerable: it is no field of a service.
    Object.defineProperty(object, key, { value: print, configurable: true, writable: true })
  }
  return object
}

/**
 * Lets the errors of a class print what a user has put into their fields as everything else is shown: within limits and
 * without secrets. The fields themselves stay as they are.
 */
export const printFields = (prototype: Error): void => {
  define(prototype, NodeInspectSymbol, inspected)
  define(prototype, "toJSON", function (this: Error) {
    return { message: renderError(this).message, ...(withoutCrashes(fieldsOf(this)) as object) }
  })
}

/** The function of Node that Node gives to what is inspected. */
type Inspect = (value: unknown, options: unknown) => string

const inspected = function (this: Error, ...given: ReadonlyArray<unknown>): string {
  const { message, stack = message } = renderError(this)
  const [, options, inspect] = given
  return typeof inspect === "function" ? `${stack} ${(inspect as Inspect)(fieldsOf(this), options)}` : stack
}

const fieldsOf = (error: Error): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(renderError(error)))

/** As JSON it may go to others: what a crash says of itself stays here, wherever in a field it is. */
const withoutCrashes = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutCrashes)
  if (typeof value !== "object" || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  if ("_tag" in value && value._tag === "Crash") return { _tag: "Crash" }
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, withoutCrashes(field)]))
}

const define = (prototype: object, key: string | symbol, value: unknown): void => {
  Object.defineProperty(prototype, key, { value, configurable: true, writable: true })
}

/**
 * How objects of this library print: as one short line, without their contents.
 *
 * `console.log` and Effect's loggers would print an object with all its fields, and so the state behind a handle.
 * `String` and `JSON.stringify` use `toString` and `toJSON`.
 */
import { NodeInspectSymbol } from "effect/Inspectable"
import { renderError } from "./render.ts"

/** Makes an object, or all objects with this prototype, print as this text. Methods that it has already stay. */
export const printAs = <A extends object>(object: A, text: (self: A) => string): A => {
  const print = function (this: A): string {
    return text(this)
  }
  for (const key of ["toString", "toJSON", NodeInspectSymbol]) {
    if (Object.hasOwn(object, key)) continue
    // Not enumerable, because it is not a field of a service.
    Object.defineProperty(object, key, { value: print, configurable: true, writable: true })
  }
  return object
}

/**
 * Makes the errors of a class print the values of a user in their fields within limits and without secrets. The fields
 * themselves stay as they are.
 */
export const printFields = (prototype: Error): void => {
  define(prototype, NodeInspectSymbol, inspected)
  define(prototype, "toJSON", function (this: Error) {
    return { message: renderError(this).message, ...(withoutCrashes(fieldsOf(this)) as object) }
  })
}

/** The `inspect` function that Node passes to the object that is inspected. */
type Inspect = (value: unknown, options: unknown) => string

const inspected = function (this: Error, ...given: ReadonlyArray<unknown>): string {
  const { message, stack = message } = renderError(this)
  const [, options, inspect] = given
  return typeof inspect === "function" ? `${stack} ${(inspect as Inspect)(fieldsOf(this), options)}` : stack
}

const fieldsOf = (error: Error): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(renderError(error)))

/** JSON may leave the program, so the details of a crash are left out, wherever in a field they are. */
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

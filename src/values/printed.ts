/**
 * How objects of this library print: one short line, and never what they hold.
 *
 * `console.log` and Effect's loggers print an object with all its fields, and so the state behind a handle. `String` and
 * `JSON.stringify` ask for `toString` and `toJSON`.
 */
import { NodeInspectSymbol } from "effect/Inspectable"

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

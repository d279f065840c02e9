/**
 * Text for values of users: what a program threw, failed with, or gave as a detail.
 *
 * Code of a user runs while a value is turned into text: a getter, `toString`, the trap of a proxy. All of it may
 * throw. No function here throws. Each text has a limit, and credentials in it are hidden.
 */
import * as Cause from "effect/Cause"
import { defaultSettings, render, renderCause, renderText, type Limits, type Settings } from "./render.ts"

/** How many characters of a text are kept. */
const MOST = 1000

/** Turns any value into text. An error becomes `Name: message`. */
export const describe = (value: unknown, most = MOST, settings?: Settings): string => {
  try {
    return renderText(textOf(value), settings, most)
  } catch {
    return renderText(withoutText(value), settings, most)
  }
}

/** The message of an error without its name, or the text of any other value. */
export const messageOf = (value: unknown, most = MOST): string => {
  const message = read(value, "message")
  return typeof message === "string" && message !== "" ? shorten(message, most) : describe(value, most)
}

/** Turns a cause into text, with the stacks of its errors. */
export const describeCause = (cause: Cause.Cause<unknown>, most = MOST * 10, settings?: Settings): string => {
  const shown = renderCause(cause, "plain", settings)
  try {
    return shorten(Cause.pretty(shown), most)
  } catch {
    return shorten(shown.reasons.map(describeReason).join("\n"), most)
  }
}

/** The stack of an error, if it has one that can be read. */
export const stackOf = (error: unknown, most = MOST * 10): string | undefined => {
  const stack = read(error, "stack")
  return typeof stack === "string" ? shorten(stack, most) : undefined
}

/** A field of a value. Undefined if it is missing or cannot be read. */
export const read = (value: unknown, field: string): unknown => {
  try {
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[field] : undefined
  } catch {
    return undefined
  }
}

/** Whether a value is an instance of a class. Unlike `instanceof` it does not throw for a proxy. */
export const isInstance = <A>(value: unknown, type: abstract new (...args: Array<never>) => A): value is A => {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

/** A value in a few words, for a sentence that refuses it: `"text"`, `{"a":1}`, `null`. Secrets are hidden. */
export const brief = (value: unknown, { secrets }: Settings = defaultSettings): string => {
  try {
    const shown = render(value, "plain", { limits: fewWords, secrets })
    if (typeof value === "string" || (typeof shown === "object" && shown !== null)) {
      return shorten(JSON.stringify(shown), MOST_OF_BRIEF)
    }
    return typeof shown === "string" ? shorten(shown, MOST_OF_BRIEF) : String(shown)
  } catch {
    return "a value that cannot be shown"
  }
}

const MOST_OF_BRIEF = 200

const fewWords: Limits = { depth: 2, width: 5, nodes: 20, length: 100, size: 200 }

/** Cuts a text that is too long, and says by how much. */
export const shorten = (text: string, most = MOST): string =>
  text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} more characters)`

// ---- internals ----------------------------------------------------------------------------------------------------

const textOf = (value: unknown): string => {
  // The text of a function would be its source.
  if (typeof value === "function") return `function ${value.name}`
  const text = String(value)
  return text.startsWith("[object ") ? (tagOf(value) ?? text) : text
}

/** A text for a value that cannot be turned into text. */
const withoutText = (value: unknown): string => {
  const name = tagOf(value) ?? nameOf(value)
  return name === undefined ? "a value that cannot be shown" : `${name} (its text cannot be shown)`
}

const tagOf = (value: unknown): string | undefined => textField(value, "_tag")

const nameOf = (value: unknown): string | undefined => textField(value, "name")

const textField = (value: unknown, field: string): string | undefined => {
  const found = read(value, field)
  return typeof found === "string" && found !== "" ? found : undefined
}

const describeReason = (reason: Cause.Reason<unknown>): string => {
  switch (reason._tag) {
    case "Fail":
      return describe(reason.error)
    case "Die":
      return describe(reason.defect)
    case "Interrupt":
      return "All fibers interrupted without error"
  }
}

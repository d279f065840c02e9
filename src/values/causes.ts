/** Renders causes. Each error becomes one that any logger can print. */
import * as Cause from "effect/Cause"
import { attempt, put, type Renderer } from "./valueKinds.ts"

/** What is shown in place of a cause, by cause. */
const told = new WeakMap<Cause.Cause<unknown>, () => Cause.Cause<unknown>>()

/** From now on another cause is shown in place of this one, wherever it appears. */
export const showCauseAs = (cause: Cause.Cause<unknown>, shown: () => Cause.Cause<unknown>): void => {
  told.set(cause, shown)
}

/** Renders the errors of a cause, and keeps its annotations. */
export const renderCauseWith = (from: Cause.Cause<unknown>, renderer: Renderer): Cause.Cause<unknown> => {
  const cause = told.get(from)?.() ?? from
  const { reasons } = cause
  const shown: Array<Cause.Reason<unknown>> = []
  let isSame = true
  for (const reason of reasons) {
    if (shown.length >= renderer.width || (shown.length > 0 && renderer.isFull)) break
    const after = reasonWith(reason, renderer)
    if (after !== reason) isSame = false
    shown.push(after)
  }
  if (shown.length < reasons.length) {
    const left = `… ${reasons.length - shown.length} more reasons`
    return Cause.fromReasons([...shown, like(reasons[shown.length]!, bare("Error", left))])
  }
  return isSame ? cause : Cause.fromReasons(shown)
}

const reasonWith = (reason: Cause.Reason<unknown>, renderer: Renderer): Cause.Reason<unknown> => {
  if (reason._tag === "Interrupt") return reason
  const before = reason._tag === "Fail" ? reason.error : reason.defect
  const after = new Errors(renderer).of(before, renderer.depth)
  return after === before ? reason : like(reason, after)
}

/** A reason of the same kind, with another error. */
const like = (reason: Cause.Reason<unknown>, error: unknown): Cause.Reason<unknown> => {
  const made = reason._tag === "Fail" ? Cause.makeFailReason(error) : Cause.makeDieReason(error)
  return attempt(() => made.annotate(Cause.reasonAnnotations(reason)) as Cause.Reason<unknown>) ?? made
}

// ---- errors -------------------------------------------------------------------------------------------------------

/** How many lines of a stack are kept. */
const FRAMES = 20

const UNREADABLE = "(its message cannot be read)"

/** The fields that an engine gives to every error. */
const ownKeys = new Set(["message", "stack", "cause", "name"])

class Errors {
  private readonly renderer: Renderer
  /** Errors that were shown already, so that an error that is its own cause is shown once. */
  private readonly seen = new Set<unknown>()

  constructor(renderer: Renderer) {
    this.renderer = renderer
  }

  of(value: unknown, depth: number): unknown {
    return attempt(() => (value instanceof Error ? this.error(value, depth) : this.other(value, depth))) ?? noError()
  }

  /** A thrown value that is not an error. Some loggers can only print texts and records. */
  private other(value: unknown, depth: number): unknown {
    const shown = this.renderer.item(value, depth)
    return shown === undefined || shown === null ? bare("Error", String(shown)) : shown
  }

  private error(error: Error, depth: number): Error {
    this.seen.add(error)
    const name = this.name(error)
    const message = this.message(error)
    const stack = this.stack(error, `${name}: ${message}`)
    const cause = this.cause(error, depth)
    const fields = this.fields(error, depth)
    const isSame = this.isKept(error) && message === error.message && name === error.name && cause === error.cause
    if (isSame && fields.isSame && this.isStackKept(error, stack)) return error
    const shown = bare(name, message)
    hide(shown, "stack", stack)
    if (cause !== undefined) hide(shown, "cause", cause)
    for (const [key, value] of fields.shown) if (!(key in shown)) put(shown as never, key, value)
    return shown
  }

  /** Whether a logger that gets the error itself runs no code of a user. */
  private isKept(error: Error): boolean {
    if (this.renderer.mode === "same") return true
    return (
      natives.has(Object.getPrototypeOf(error)) && Object.getOwnPropertyNames(error).every((key) => ownKeys.has(key))
    )
  }

  /** The message has been checked already, so the stack is kept unless it is too long. */
  private isStackKept(error: Error, shown: string): boolean {
    const stack: unknown = error.stack
    return this.renderer.mode === "plain" ? stack === shown : typeof stack !== "string" || stack.length <= MOST_OF_STACK
  }

  private name(error: Error): string {
    const name = attempt((): unknown => error.name)
    return typeof name === "string" ? this.renderer.text(name) : "Error"
  }

  private message(error: Error): string {
    const message = attempt((): unknown => error.message)
    return typeof message === "string" ? this.renderer.text(message) : UNREADABLE
  }

  /** A stack with the shown message as its first line. */
  private stack(error: Error, first: string): string {
    const stack = attempt((): unknown => error.stack)
    if (typeof stack !== "string") return first
    const whole = attempt(() => `${error.name}: ${error.message}`) ?? ""
    const rest = whole !== "" && stack.startsWith(whole) ? stack.slice(whole.length) : stack.slice(frameAt(stack))
    const frames = rest
      .slice(0, MOST_OF_STACK)
      .split("\n")
      .slice(0, FRAMES + 1)
    return first + this.renderer.take(frames.join("\n"))
  }

  private cause(error: Error, depth: number): unknown {
    const cause = attempt((): unknown => error.cause)
    if (cause === undefined || this.seen.has(cause)) return undefined
    if (depth <= 0 || this.renderer.isFull) return bare("Error", "… more causes")
    return this.of(cause, depth - 1)
  }

  /** The other fields of an error, and the errors of an `AggregateError`. */
  private fields(error: Error, depth: number) {
    const shown: Array<readonly [string, unknown]> = []
    let isSame = true
    const errors: unknown = attempt((): unknown => Object.getOwnPropertyDescriptor(error, "errors")?.value)
    if (Array.isArray(errors)) {
      const after = this.errors(errors, depth)
      isSame = after.every((one, index) => one === errors[index]) && after.length === errors.length
      shown.push(["errors", after])
    }
    const record = attempt(() => fieldsOf(error, this.renderer.width)) ?? []
    for (const [key, value] of record) {
      const field = this.renderer.item({ [key]: value }, depth)
      const after = (field as Record<string, unknown> | undefined)?.[key]
      if (after !== value) isSame = false
      shown.push([key, after])
    }
    return { isSame, shown }
  }

  private errors(errors: ReadonlyArray<unknown>, depth: number): ReadonlyArray<unknown> {
    const shown: Array<unknown> = []
    for (let index = 0; index < Math.min(errors.length, this.renderer.width); index++) {
      if (this.renderer.isFull || depth <= 0) break
      shown.push(this.seen.has(errors[index]) ? undefined : this.of(errors[index], depth - 1))
    }
    if (shown.length < errors.length) shown.push(bare("Error", `… ${errors.length - shown.length} more errors`))
    return shown
  }
}

const MOST_OF_STACK = 4000

const natives: ReadonlySet<unknown> = new Set(
  [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError].map(({ prototype }) => prototype)
)

/** Where the frames of a stack begin. */
const frameAt = (stack: string): number => {
  const found = stack.search(/\n {4}at /)
  return found === -1 ? stack.length : found
}

const fieldsOf = (error: Error, width: number): ReadonlyArray<readonly [string, unknown]> =>
  Object.keys(error)
    .filter((key) => !ownKeys.has(key) && key !== "errors")
    .slice(0, width)
    .map((key) => [key, Object.getOwnPropertyDescriptor(error, key)?.value] as const)

/** An error that holds only this message. */
const bare = (name: string, message: string): Error => {
  const error = new Error(message)
  hide(error, "name", name)
  hide(error, "stack", `${name}: ${message}`)
  return error
}

const noError = () => bare("Error", "what was thrown cannot be shown")

const hide = (error: Error, key: string, value: unknown): void => {
  Object.defineProperty(error, key, { value, enumerable: false, configurable: true, writable: true })
}

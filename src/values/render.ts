/**
 * Renders values of users as plain data, for logs, statuses and telemetry.
 *
 * The result has a limited size, no secrets that can be recognised, and no code of a user: no getter, no `toJSON`, no
 * `toString`, no proxy. No function here throws, whatever it is given. The work is limited, too: nothing beyond a limit
 * is read. JavaScript lists the keys of an object all at once, so an object with very many keys costs time for each of
 * them. A `Map`, a `Set`, an array or a `HashMap` does not.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redactable from "effect/Redactable"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { renderCauseWith } from "./causes.ts"
import {
  attempt,
  isRecord,
  itemsOf,
  nameOf,
  outline,
  put,
  textOf,
  type Items,
  type Mode,
  type Renderer
} from "./valueKinds.ts"
import { defaultNames, REDACTED, secretsOf, type Secrets } from "./secrets.ts"

// ---- settings -----------------------------------------------------------------------------------------------------

/** How much of a value is shown. */
export interface Limits {
  /** How many levels of objects and of causes of errors. Default: 6. */
  readonly depth: number
  /** How many items of a collection, fields of a record, and reasons of a cause. Default: 30. */
  readonly width: number
  /** How many values in all. Default: 300. */
  readonly nodes: number
  /** How many characters of one text. Default: 1,000. */
  readonly length: number
  /** How many characters of text in all. Default: 16,000. */
  readonly size: number
}

export interface Settings {
  readonly limits: Limits
  readonly secrets: Secrets
}

export const defaultLimits: Limits = { depth: 6, width: 30, nodes: 300, length: 1000, size: 16_000 }

export const defaultSettings: Settings = { limits: defaultLimits, secrets: secretsOf(defaultNames) }

// ---- operations ---------------------------------------------------------------------------------------------------

/** Renders a value. */
export const render = (value: unknown, mode: Mode, settings: Settings = defaultSettings): unknown =>
  new Rendering(mode, settings).of(value)

/** A text without credentials, and no longer than the limit. */
export const renderText = (
  text: string,
  { limits, secrets }: Settings = defaultSettings,
  most: number = limits.length
): string => cut(text, most, secrets)

/**
 * A cause whose errors can be shown: bounded, without secrets, and without code of a user. An ordinary error with
 * nothing to hide stays itself.
 */
export const renderCause = <E>(
  cause: Cause.Cause<E>,
  mode: Mode = "plain",
  settings: Settings = defaultSettings
): Cause.Cause<unknown> => renderCauseWith(cause, new Rendering(mode, settings))

/** An error that can be shown, rendered as in {@link renderCause}. */
export const renderError = (error: Error, settings: Settings = defaultSettings): Error => {
  const [reason] = renderCause(Cause.fail(error), "plain", settings).reasons
  return reason?._tag === "Fail" ? (reason.error as Error) : error
}

// ---- texts --------------------------------------------------------------------------------------------------------

/** How many more characters are searched for credentials that begin before the cut. */
const SLACK = 1000

/** An address that goes on beyond the cut. The part before the cut may be a password. */
const openAddress = /:\/\/[^\s@/]{1,}$/

const cut = (text: string, most: number, secrets: Secrets): string => {
  const isLong = text.length > most + SLACK
  const looked = isLong ? text.slice(0, most + SLACK).replace(openAddress, "://") : text
  const shown = attempt(() => secrets.text(looked)) ?? REDACTED
  if (shown.length <= most && !isLong) return shown
  return `${shown.slice(0, most)}… (${text.length - Math.min(most, shown.length)} more characters)`
}

// ---- values -------------------------------------------------------------------------------------------------------

const UNREADABLE = "[cannot be shown]"
const CIRCULAR = "[circular]"
const MORE = "…"

/** Turning a larger number into text takes too long. */
const GREATEST = 2n ** 1024n

/** The methods that JavaScript calls to turn an object into text. */
const methods = new Set(["toString", "valueOf", "toJSON"])

/** Objects are opened until this many keys were listed. */
const keyLimit = ({ nodes }: Limits): number => nodes * 4

/** The rendering of one value and everything in it. Several values may share the limits, one after the other. */
class Rendering implements Renderer {
  readonly settings: Settings
  readonly mode: Mode
  private nodes = 0
  private size = 0
  private keys = 0
  /** The objects that contain the value at hand. */
  private readonly around = new Set<object>()

  constructor(mode: Mode, settings: Settings) {
    this.mode = mode
    this.settings = settings
  }

  of(value: unknown): unknown {
    return this.item(value, this.settings.limits.depth)
  }

  get width(): number {
    return this.settings.limits.width
  }

  get depth(): number {
    return this.settings.limits.depth
  }

  text(text: string): string {
    const { limits, secrets } = this.settings
    const left = limits.size - this.size
    if (left <= 0 && text !== "") return MORE
    const shown = cut(text, Math.min(limits.length, left), secrets)
    this.size += shown.length
    return shown
  }

  take(text: string): string {
    const taken = text.slice(0, Math.max(0, this.settings.limits.size - this.size))
    this.size += taken.length
    return taken
  }

  get isFull(): boolean {
    const { nodes, size } = this.settings.limits
    return this.nodes >= nodes || this.size >= size
  }

  item(value: unknown, depth: number): unknown {
    try {
      return this.any(value, depth)
    } catch {
      return UNREADABLE
    }
  }

  private any(value: unknown, depth: number): unknown {
    this.nodes++
    switch (typeof value) {
      case "string":
        return this.text(value)
      case "bigint":
        return this.bigint(value)
      case "symbol":
        return this.mode === "same" ? value : this.text(String(value))
      case "function":
        return this.mode === "same" ? value : this.text(`[Function ${nameOf(value)}]`)
      case "object":
        return value === null ? null : this.object(value, depth)
      default:
        return value
    }
  }

  private bigint(value: bigint): unknown {
    if (this.mode === "same") return value
    return value < GREATEST && value > -GREATEST ? `${value}n` : "[BigInt]"
  }

  private object(value: object, depth: number): unknown {
    if (this.around.has(value)) return CIRCULAR
    const text = attempt(() => textOf(value))
    if (text !== undefined) return this.short(value, text)
    if (this.isFull) return MORE
    if (depth <= 0) return outline(value)
    this.around.add(value)
    try {
      return this.inside(value, depth - 1)
    } finally {
      this.around.delete(value)
    }
  }

  /** A value that is shown as one text. */
  private short(value: object, text: string): unknown {
    const shown = this.text(text)
    return this.mode === "same" && shown === text && !Redacted.isRedacted(value) ? value : shown
  }

  private inside(value: object, depth: number): unknown {
    if (Array.isArray(value)) return this.array(value, depth)
    if (isRecord(value))
      return Redactable.isRedactable(value) ? this.redactable(value, depth) : this.record(value, depth)
    if (value instanceof Error) return this.error(value, depth)
    if (Option.isOption(value)) return this.option(value, depth)
    if (Result.isResult(value)) return this.result(value, depth)
    if (Exit.isExit(value)) return this.exit(value, depth)
    if (Cause.isCause(value)) return this.cause(value)
    if (Redactable.isRedactable(value)) return this.redactable(value, depth)
    const items = itemsOf(value)
    return items === undefined ? this.record(value, depth) : this.collection(value, items, depth)
  }

  /** The value itself says what is shown of it. */
  private redactable(value: Redactable.Redactable, depth: number): unknown {
    return this.item(Redactable.redact(value), depth)
  }

  // ---- records ----------------------------------------------------------------------------------------------------

  /** An object of any class is shown as a record of its own fields. */
  private record(value: object, depth: number): unknown {
    const { limits } = this.settings
    if (this.keys >= keyLimit(limits)) return outline(value)
    const keys = Object.keys(value)
    this.keys += keys.length
    if (keys.length === 0 && !isRecord(value)) return this.mode === "same" ? value : outline(value)
    const shown: Record<string, unknown> = {}
    let isSame = keys.length <= limits.width
    let hidden = 0
    for (const key of keys.slice(0, limits.width)) {
      if (this.isFull) break
      const field = Object.getOwnPropertyDescriptor(value, key)
      const before: unknown = field?.value
      const isField = field !== undefined && "value" in field
      const after = isField ? this.named(this.nameFor(key, value), before, depth) : "[getter]"
      if (before !== after || !isField) isSame = false
      put(shown, this.mode === "same" ? key : this.key(key), after)
      hidden++
    }
    const left = keys.length - hidden
    if (left > 0) put(shown, MORE, `${left} more`)
    return this.mode === "same" && isSame && left === 0 ? value : shown
  }

  /** A key that no logger can take for a method. */
  private key(key: string): string {
    return methods.has(key) ? `[${key}]` : this.text(key)
  }

  /** If a record is a name and a value, its name is in another field. */
  private nameFor(key: string, record: object): string {
    if (key !== "value") return key
    const names = ["name", "key"].map((field): unknown => Object.getOwnPropertyDescriptor(record, field)?.value)
    return names.find((name) => typeof name === "string") ?? key
  }

  /** A value under a name. */
  private named(name: string, value: unknown, depth: number): unknown {
    // The own text of a Redacted value says more.
    if (!this.settings.secrets.hides(name, value) || Redacted.isRedacted(value)) return this.item(value, depth)
    this.size += REDACTED.length
    return REDACTED
  }

  private error(value: Error, depth: number): unknown {
    const name = attempt((): unknown => value.name)
    const message = attempt((): unknown => value.message)
    const shown: Record<string, unknown> = {
      name: typeof name === "string" ? this.text(name) : "Error",
      message: typeof message === "string" ? this.text(message) : UNREADABLE
    }
    const fields = this.record(value, depth)
    const cause: unknown = Object.getOwnPropertyDescriptor(value, "cause")?.value
    const shownCause = cause === undefined ? undefined : this.item(cause, depth)
    const isSame = fields === value && shown["message"] === message && shown["name"] === name && shownCause === cause
    if (this.mode === "same" && isSame) return value
    if (typeof fields === "object" && fields !== null && fields !== value) Object.assign(shown, fields)
    if (cause !== undefined) shown["cause"] = shownCause
    return shown
  }

  // ---- collections ------------------------------------------------------------------------------------------------

  private array(values: ReadonlyArray<unknown>, depth: number): unknown {
    const { length } = values
    const shown: Array<unknown> = []
    const most = Math.min(length, this.settings.limits.width)
    let isSame = length <= most
    for (let index = 0; index < most && !this.isFull; index++) {
      const before: unknown = Object.getOwnPropertyDescriptor(values, index)?.value
      const name: unknown = index === 0 ? undefined : Object.getOwnPropertyDescriptor(values, index - 1)?.value
      // Headers are often lists of alternating names and values.
      const isValue = typeof name === "string" && index % 2 === 1 && name.length <= 40 && !/\s/.test(name)
      const after = isValue ? this.named(name, before, depth) : this.item(before, depth)
      if (after !== before) isSame = false
      shown.push(after)
    }
    if (shown.length < length) shown.push(`${MORE} ${length - shown.length} more`)
    return this.mode === "same" && isSame && shown.length === length ? values : shown
  }

  private collection(value: object, { id, isMap, items, size }: Items, depth: number): unknown {
    const { isSame, shown } = isMap ? this.entries(items, size, depth) : this.items(items, size, depth)
    if (this.mode === "plain") return { _id: id, values: shown }
    if (isSame) return value
    if (id === "Map")
      return new Map(shown.map((entry) => (Array.isArray(entry) ? entry : [entry, MORE]) as [unknown, unknown]))
    return id === "Set" ? new Set(shown) : { _id: id, values: shown }
  }

  private items(values: Iterator<unknown>, size: number, depth: number) {
    return this.each(values, size, (value) => this.item(value, depth))
  }

  private entries(values: Iterator<unknown>, size: number, depth: number) {
    return this.each(values, size, (entry) => {
      const [key, value] = entry as readonly [unknown, unknown]
      const shownKey = this.item(key, depth)
      const shown = typeof key === "string" ? this.named(key, value, depth) : this.item(value, depth)
      return shownKey === key && shown === value ? entry : [shownKey, shown]
    })
  }

  private each(values: Iterator<unknown>, size: number, show: (value: unknown) => unknown) {
    const shown: Array<unknown> = []
    let isSame = true
    const most = Math.min(size, this.settings.limits.width)
    while (shown.length < most && !this.isFull) {
      const next = values.next()
      if (next.done === true) break
      const after = show(next.value)
      if (after !== next.value) isSame = false
      shown.push(after)
    }
    if (shown.length < size) {
      isSame = false
      shown.push(`${MORE} ${size - shown.length} more`)
    }
    return { isSame, shown }
  }

  private option(value: Option.Option<unknown>, depth: number): unknown {
    if (value._tag === "None") return this.mode === "same" ? value : { _id: "Option", _tag: "None" }
    const shown = this.item(value.value, depth)
    if (this.mode === "plain") return { _id: "Option", _tag: "Some", value: shown }
    return shown === value.value ? value : Option.some(shown)
  }

  private result(value: Result.Result<unknown, unknown>, depth: number): unknown {
    const before = value._tag === "Success" ? value.success : value.failure
    const shown = this.item(before, depth)
    if (this.mode === "same" && shown === before) return value
    return value._tag === "Success"
      ? { _id: "Result", _tag: "Success", success: shown }
      : { _id: "Result", _tag: "Failure", failure: shown }
  }

  private exit(value: Exit.Exit<unknown, unknown>, depth: number): unknown {
    if (value._tag === "Failure") {
      const cause = this.cause(value.cause)
      if (this.mode === "plain") return { _id: "Exit", _tag: "Failure", cause }
      return cause === value.cause ? value : Exit.failCause(cause as Cause.Cause<unknown>)
    }
    const shown = this.item(value.value, depth)
    if (this.mode === "plain") return { _id: "Exit", _tag: "Success", value: shown }
    return shown === value.value ? value : Exit.succeed(shown)
  }

  private cause(value: Cause.Cause<unknown>): unknown {
    const cause = renderCauseWith(value, this)
    if (this.mode === "same") return cause
    const failures = cause.reasons.map((reason) => {
      if (reason._tag === "Interrupt") return "Interrupt"
      const error = reason._tag === "Fail" ? reason.error : reason.defect
      return { _tag: reason._tag, error: error instanceof Error ? `${error.name}: ${error.message}` : error }
    })
    return { _id: "Cause", failures }
  }
}

/**
 * What has to be known of a value before it is rendered: whether one text stands for it, and which kind of collection
 * it is.
 */
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"

/** Runs a function that may be code of a user. Undefined if it throws. */
export const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Whether a value has this key. Unlike `in` it does not throw for a proxy. */
export const has = <K extends PropertyKey>(value: unknown, key: K): value is { readonly [_ in K]: unknown } =>
  attempt(() => hasProperty(value, key)) === true

/**
 * The one text that stands for the whole value, if there is one: for secrets, processes, times, buffers and running
 * things.
 */
export const textOf = (value: object): string | undefined => {
  if (Array.isArray(value)) return undefined
  for (const [key, text] of ours) if (key in value) return text((value as Record<string, unknown>)[key], value)
  // Most values are plain records, so they are checked no further.
  if (isRecord(value)) return undefined
  if (Redacted.isRedacted(value)) return value.label === undefined ? "<redacted>" : `<redacted:${value.label}>`
  if (value instanceof Date) return Number.isNaN(dateTime(value)) ? "Invalid Date" : dateText(value)
  if (value instanceof RegExp) return expressionText(value)
  if (value instanceof URL) return value.href
  // A `String` object has a key for each letter.
  if (Object.prototype.toString.call(value) === "[object String]") return stringValue(value)
  if (ArrayBuffer.isView(value)) return `[${classOf(value)} of ${value.byteLength} bytes]`
  if (value instanceof ArrayBuffer) return `[ArrayBuffer of ${value.byteLength} bytes]`
  if (Duration.isDuration(value)) return String(value)
  if (opaque.some((type) => value instanceof type)) return `[${classOf(value)}]`
  // Errors and `Exit`s are effects, too, but are opened.
  if (value instanceof Error || EXIT in value) return undefined
  for (const [id, name] of running) if (id in value) return `[${name}]`
  return undefined
}

const EXIT = "~effect/Exit"

/** Values of Effect that are not data. */
const running: ReadonlyArray<readonly [id: string, name: string]> = [
  ["~effect/Effect", "Effect"],
  ["~effect/Fiber", "Fiber"],
  ["~effect/Layer", "Layer"],
  ["~effect/Context", "Context"],
  ["~effect/Scope", "Scope"],
  ["~effect/Stream", "Stream"],
  ["~effect/Schedule", "Schedule"],
  ["~effect/Queue", "Queue"],
  ["~effect/Deferred", "Deferred"]
]

const opaque = [Promise, WeakMap, WeakSet, WeakRef]

/** A method of a built-in class, even if a subclass or a field overrides it. */
const method = <A>(
  prototype: object,
  name: string | symbol,
  kind: "value" | "get" = "value"
): ((self: object) => A) => {
  const found = Object.getOwnPropertyDescriptor(prototype, name)![kind] as () => A
  return (self) => Reflect.apply(found, self, [])
}

const dateTime = method<number>(Date.prototype, "getTime")
const dateText = method<string>(Date.prototype, "toISOString")
const expressionText = method<string>(RegExp.prototype, "toString")
const stringValue = method<string>(String.prototype, "valueOf")
const mapSize = method<number>(Map.prototype, "size", "get")
const setSize = method<number>(Set.prototype, "size", "get")
const mapEntries = method<Iterator<unknown>>(Map.prototype, "entries")
const setValues = method<Iterator<unknown>>(Set.prototype, "values")

/** Says how values with this key are shown: as a text made from the value under the key. */
export const showBy = <A extends object>(key: string, text: (held: unknown, value: A) => string): void => {
  ours.set(key, text as (held: unknown, value: object) => string)
}

const ours = new Map<string, (held: unknown, value: object) => string>()

/** The text for an object that is not opened. */
export const outline = (value: object): string => {
  if (Array.isArray(value)) return `[Array(${value.length})]`
  if (value instanceof Map) return `[Map(${mapSize(value)})]`
  if (value instanceof Set) return `[Set(${setSize(value)})]`
  return `[${classOf(value)}]`
}

/** The name of its class, or `Object`. */
export const classOf = (value: object): string => {
  const prototype: unknown = Object.getPrototypeOf(value)
  const made = (prototype as { readonly constructor?: { readonly name?: unknown } } | null)?.constructor?.name
  return typeof made === "string" && made !== "" ? made.slice(0, MOST_OF_NAME) : "Object"
}

const MOST_OF_NAME = 100

/** The name of a function. */
export const nameOf = (value: { readonly name?: unknown }): string =>
  typeof value.name === "string" && value.name !== "" ? value.name : "anonymous"

/** Whether it is a plain record, and not an instance of a class. */
export const isRecord = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** Sets a field of any name. */
export const put = (record: Record<string, unknown>, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true })
  } else record[key] = value
}

// ---- collections --------------------------------------------------------------------------------------------------

export interface Items {
  readonly id: string
  readonly size: number
  readonly items: Iterator<unknown>
  /** Whether each item is a key and a value. */
  readonly isMap: boolean
}

/**
 * The items of a collection that is not an array, one by one. Methods of classes that extend `Map` or `Set` are not
 * called.
 */
export const itemsOf = (value: object): Items | undefined => {
  if (isRecord(value)) return undefined
  if (value instanceof Map) {
    return { id: "Map", size: mapSize(value), items: mapEntries(value), isMap: true }
  }
  if (value instanceof Set) {
    return { id: "Set", size: setSize(value), items: setValues(value), isMap: false }
  }
  if (HashMap.isHashMap(value)) {
    return { id: "HashMap", size: HashMap.size(value), items: value[Symbol.iterator](), isMap: true }
  }
  if (HashSet.isHashSet(value)) {
    return { id: "HashSet", size: HashSet.size(value), items: value[Symbol.iterator](), isMap: false }
  }
  if (Chunk.isChunk(value)) {
    return { id: "Chunk", size: Chunk.size(value), items: value[Symbol.iterator](), isMap: false }
  }
  const id = classOf(value)
  // The name is compared first, because reading such a class of the web platform may load all of it.
  if (id === "Headers" || id === "URLSearchParams" || id === "FormData") return pairsOf(value, id)
  return undefined
}

const pairsOf = (value: object, id: "Headers" | "URLSearchParams" | "FormData"): Items | undefined => {
  const made = globalThis[id]
  if (typeof made !== "function" || !(value instanceof made)) return undefined
  return { id, size: [...value.keys()].length, items: value.entries(), isMap: true }
}

// ---- renderings ---------------------------------------------------------------------------------------------------

/**
 * - `plain`: the result is new data at every level. Any logger can print it.
 * - `same`: a value that has nothing to hide and is within the limits is returned as it is, so that a program can work
 *   with it.
 */
export type Mode = "plain" | "same"

/** Renders a value and everything in it, within limits that all of it shares. */
export interface Renderer {
  readonly mode: Mode
  readonly width: number
  readonly depth: number
  /** Whether the limits are reached, so that nothing more is shown. */
  readonly isFull: boolean
  /** A text without credentials, within its limit. */
  text(text: string): string
  /** As much of a text as there is room for. */
  take(text: string): string
  item(value: unknown, depth: number): unknown
}

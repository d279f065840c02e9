/** Shows data without what is secret in it: each `Redacted` of Effect becomes the text it prints. */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { isData } from "../../kernel/Kernel.ts"

/** The value itself, unless there is a secret in its records, arrays, maps, sets and options. @internal */
export const redact = (value: unknown): unknown => new Redaction().of(value, DEPTH)

/** How deep it looks. What lies deeper is shown as it is, and a `Redacted` prints as one anyway. */
const DEPTH = 100

const textOf = ({ label }: Redacted.Redacted<unknown>): string =>
  label === undefined ? "<redacted>" : `<redacted:${label}>`

class Redaction {
  /** What each object becomes. One that is still being looked at stands for itself: a cycle. */
  private readonly known = new Map<object, unknown>()

  of(value: unknown, depth: number): unknown {
    if (typeof value !== "object" || value === null || depth === 0) return value
    if (Redacted.isRedacted(value)) return textOf(value)
    if (this.known.has(value)) return this.known.get(value)
    this.known.set(value, value)
    const shown = this.inside(value, depth - 1)
    this.known.set(value, shown)
    return shown
  }

  private inside(value: object, depth: number): unknown {
    if (Array.isArray(value)) return this.list(value, depth)
    if (value instanceof Map) return this.map(value, depth)
    if (value instanceof Set) return this.set(value, depth)
    if (Option.isOption(value)) return this.option(value, depth)
    return isData(value) ? this.record(value, depth) : value
  }

  private list(values: ReadonlyArray<unknown>, depth: number): ReadonlyArray<unknown> {
    const shown = values.map((item) => this.of(item, depth))
    return shown.some((item, index) => item !== values[index]) ? shown : values
  }

  private map(value: ReadonlyMap<unknown, unknown>, depth: number): unknown {
    const before = [...value].flat()
    const after = this.list(before, depth)
    if (after === before) return value
    return new Map(Array.from({ length: value.size }, (_, index) => [after[index * 2], after[index * 2 + 1]]))
  }

  private set(value: ReadonlySet<unknown>, depth: number): unknown {
    const before = [...value]
    const after = this.list(before, depth)
    return after === before ? value : new Set(after)
  }

  private option(value: Option.Option<unknown>, depth: number): unknown {
    if (value._tag === "None") return value
    const shown = this.of(value.value, depth)
    return shown === value.value ? value : Option.some(shown)
  }

  /** Of whatever class it is: with a secret in it, it is shown as a record. */
  private record(value: object, depth: number): unknown {
    const before = Object.entries(Object.getOwnPropertyDescriptors(value)).filter(([, { enumerable }]) => enumerable)
    const after = before.map(([key, { value: field }]) => [key, this.of(field, depth)] as const)
    return after.some(([, field], index) => field !== before[index]![1].value) ? Object.fromEntries(after) : value
  }
}

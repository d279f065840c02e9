/**
 * Finds out how many copies of this library a program has loaded.
 *
 * Two copies have two default kernels and two of each class, so neither can use what the other has made. A program must
 * not find that out by a call that waits for ever. So the second copy warns when it is loaded, each copy has its own
 * keys in the environment of fibers, and functions check what they are given.
 */
import { attempt } from "./valueKinds.ts"
import { version } from "./version.ts"

export interface Copy {
  readonly version: string
  /** Where it was loaded from, if known. */
  readonly location: string | undefined
}

/** All versions share this. Its shape must stay as it is. */
interface Host {
  [Copies]?: Array<Copy>
}

const Copies = Symbol.for("effect-otp/copies")

/** Some bundles have no `import.meta.url`. */
const location = attempt(() => new URL("..", import.meta.url).href)

const copies = ((globalThis as Host)[Copies] ??= [])

/** Identifies the objects of this copy. */
export const thisCopy: Copy = { version, location }

/** The number of this copy, counted from 1. */
const index = copies.push(thisCopy)

/**
 * The key of an entry of the environment. No other copy has the same key, so one copy does not see the processes and trees
 * of another.
 */
export const ownKey = <const Key extends string>(key: Key): Key => (index === 1 ? key : (`${key}#${index}` as Key))

/**
 * Gives what a value holds under a key, if this copy made it. Only for the key of handles: each cast of a handler calls
 * this, and it is faster if the key is always the same.
 */
export const ofThisCopy = <A extends { readonly copy: Copy }>(value: unknown, key: string): A | undefined => {
  try {
    const held = (value as Readonly<Record<string, A>>)[key]
    return held?.copy === thisCopy ? held : undefined
  } catch {
    return undefined
  }
}

const locationText = ({ location, version }: Copy): string => `${version} from ${location ?? "an unknown place"}`

if (index === 2) {
  attempt(() =>
    console.warn(
      `effect-otp is loaded twice: ${copies.map(locationText).join(", and ")}. Processes, clients and supervisors of one ` +
        "copy are strangers to the other. Load one copy only: `npm ls effect-otp` says who brings it."
    )
  )
}

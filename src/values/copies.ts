/**
 * Knows how many copies of this library a program has loaded.
 *
 * Two copies have two default kernels and two of each class, so what one makes means nothing to the other. That must not
 * be found out by a call that waits for ever: the second copy says at once that it is one, what is in the environment
 * of a fiber has another key in each copy, and what is given to a function is looked at first.
 */
import { attempt } from "./kinds.ts"
import { version } from "./version.ts"

export interface Copy {
  readonly version: string
  /** Where it was loaded from, if that is known. */
  readonly place: string | undefined
}

/** Of all versions. Its shape must stay as it is. */
interface Host {
  [Copies]?: Array<Copy>
}

const Copies = Symbol.for("effect-otp/copies")

/** `import.meta.url` is not there in every bundle. */
const place = attempt(() => new URL("..", import.meta.url).href)

const copies = ((globalThis as Host)[Copies] ??= [])

/** By which the objects of this copy are known. */
export const thisCopy: Copy = { version, place }

/** Which copy this is, counted from 1. */
const index = copies.push(thisCopy)

/**
 * The key of an entry of the environment, which no other copy has. The process of one copy is none to another, and so is
 * everything else that belongs to a process or a tree.
 */
export const ownKey = <const Key extends string>(key: Key): Key => (index === 1 ? key : (`${key}#${index}` as Key))

const placeText = ({ place, version }: Copy): string => `${version} from ${place ?? "a place that is not known"}`

if (index === 2) {
  attempt(() =>
    console.warn(
      `effect-otp is loaded twice: ${copies.map(placeText).join(", and ")}. Processes, clients and supervisors of one ` +
        "copy are strangers to the other. Load one copy only: `npm ls effect-otp` says who brings it."
    )
  )
}

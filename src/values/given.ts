/** Refuses what is not what a function needs: a pid, a client, a task. */
import { brief } from "./describe.ts"

/** Something of this library: its mark is there, and its class is that of this copy. */
interface Wanted {
  /** Who was given it, `Process.send` for example. */
  readonly to: string
  /** What it needs: `a pid`. */
  readonly what: string
  /** Whether the value would do, if it were of this copy of the library. */
  readonly isForeign: boolean
}

/** Throws a `RangeError` that names the function and shows the value. */
export const refuseGiven = ({ isForeign, to, what }: Wanted, given: unknown): never => {
  const why = isForeign ? `which belongs to another copy of effect-otp: this program has loaded it twice` : undefined
  throw new RangeError([`${to} needs ${what}, not ${brief(given)}`, ...(why === undefined ? [] : [why])].join(", "))
}

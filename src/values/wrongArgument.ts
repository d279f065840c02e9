/** Refuses arguments that are not what a function needs: a pid, a client, a task. */
import { brief } from "./describe.ts"

/** What a function needs: something that this copy of the library has made. */
interface Wanted {
  /** The function that was given it, `Process.send` for example. */
  readonly to: string
  /** What it needs: `a pid`. */
  readonly what: string
  /** Whether the value comes from another copy of the library, and would be fine otherwise. */
  readonly isForeign: boolean
}

/** Throws a `RangeError` that names the function and shows the value. */
export const refuseArgument = ({ isForeign, to, what }: Wanted, given: unknown): never => {
  const why = isForeign ? `which belongs to another copy of effect-otp: this program has loaded it twice` : undefined
  throw new RangeError([`${to} needs ${what}, not ${brief(given)}`, ...(why === undefined ? [] : [why])].join(", "))
}

/**
 * Refuses options that no supervisor can work with. Call it where a supervisor is defined, before anything starts.
 *
 * **In Erlang/OTP**
 *
 * `supervisor:check_childspecs/2`: `duplicate_child_name`, `bad_combination`, `invalid_intensity`, `invalid_period`.
 */
import * as Check from "../../../values/check.ts"
import * as Intensity from "../core/intensity.ts"
import { checkedRestart } from "../core/restartType.ts"
import type { Options } from "./draft.ts"
import type { Member } from "./member.ts"

/** Returns the options as they are, or throws a `RangeError` that says which child or value is wrong, and why. */
export const checkOptions = (options: Options): Options => {
  if (options.intensity !== undefined) Intensity.make(options.intensity)
  checkWord("strategy", options.strategy, ["oneForOne", "oneForAll", "restForOne"])
  checkWord("autoShutdown", options.autoShutdown, ["never", "anySignificant", "allSignificant"])
  const ids = new Set<string>()
  for (const member of options.members) {
    const wrong = ids.has(member.id) ? "has the id of another child" : badCombination(member, options)
    if (wrong !== undefined) throw new RangeError(`supervisor: child "${member.id}" ${wrong}`)
    if (member.kind === "child") checkedRestart(member.restart)
    else checkWord("rebuild", member.rebuild, ["withHolder", "onWatch"])
    ids.add(member.id)
  }
  return options
}

/** The types say so already, but JavaScript code and options that were read from somewhere have none. */
const checkWord = <A extends string>(option: string, value: A, values: ReadonlyArray<A>): A =>
  Check.oneOf(`supervisor: ${option}`, value, values)

const badCombination = (member: Member, { autoShutdown }: Options): string | undefined => {
  if (member.kind === "resource" || !member.significant) return undefined
  if (autoShutdown === "never") return `is significant, but autoShutdown is "never"`
  if (member.restart === "permanent") return "is significant, but permanent: it never ends for good"
  return undefined
}

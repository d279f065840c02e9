/**
 * Refuses options no supervisor can work with. To be called where a supervisor is defined, before anything starts.
 *
 * **In Erlang/OTP**
 *
 * `supervisor:check_childspecs/2`: `duplicate_child_name`, `bad_combination`, `invalid_intensity`, `invalid_period`.
 */
import type { Member } from "./child.ts"
import * as Intensity from "./intensity.ts"
import type { Options } from "./turn.ts"

/** Returns the options as they are, or throws a `RangeError` that says which child or value is wrong, and why. */
export const validate = (options: Options): Options => {
  if (options.intensity !== undefined) Intensity.make(options.intensity)
  const ids = new Set<string>()
  for (const member of options.members) {
    const wrong = ids.has(member.id) ? "is used twice" : badCombination(member, options)
    if (wrong !== undefined) throw new RangeError(`supervisor: child "${member.id}" ${wrong}`)
    ids.add(member.id)
  }
  return options
}

const badCombination = (member: Member, { autoShutdown }: Options): string | undefined => {
  if (member.kind === "resource" || !member.significant) return undefined
  if (autoShutdown === "never") return `is significant, but autoShutdown is "never"`
  if (member.restart === "permanent") return "is significant, but permanent: it never ends for good"
  return undefined
}

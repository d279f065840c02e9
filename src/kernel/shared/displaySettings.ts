/** The limits and secrets within which something is shown. */
import * as Context from "effect/Context"
import { defaultLimits, type Limits, type Settings } from "../../values/render.ts"
import { secretsOf } from "../../values/secrets.ts"
import { CurrentLimits, CurrentRedactedNames } from "../Display.ts"

export const settingsOf = (context: Context.Context<never>): Settings => {
  const limits = Context.get(context, CurrentLimits)
  return {
    limits: limits === defaultLimits ? limits : checked(limits),
    secrets: secretsOf(Context.get(context, CurrentRedactedNames))
  }
}

const checked = ({ depth, length, nodes, size, width }: Limits): Limits => ({
  depth: atLeastOne(depth),
  width: atLeastOne(width),
  nodes: atLeastOne(nodes),
  length: atLeastOne(length),
  size: atLeastOne(size)
})

const atLeastOne = (value: number): number => (value >= 1 ? value : 1)

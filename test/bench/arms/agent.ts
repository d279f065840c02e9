/** Agents. */
import { Effect } from "effect"
import { Agent } from "effect-otp"
import { check, perSecond, type Arms } from "../arm.ts"

const updates = (count: number) =>
  Effect.map(Agent.start(Effect.succeed(0)), (agent) =>
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Agent.update(agent, (n) => n + 1)
      yield* check("updates", yield* Agent.get(agent), count)
    })
  )

export const agentArms: Arms = {
  agent_update_per_s: perSecond(100_000, updates)
}

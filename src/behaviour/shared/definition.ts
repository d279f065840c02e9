/** What a definition of a server is to the supervisors: how they start one of many. */
import type * as Effect from "effect/Effect"
import { type Pipeable, Prototype } from "effect/Pipeable"
import type { Handle } from "../../kernel/Handle.ts"
import type { Adoption } from "../../kernel/shared/adoption.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { thisCopy } from "../../values/copies.ts"
import { read } from "../../values/describe.ts"
import { refuseArgument } from "../../values/wrongArgument.ts"
import { printAs } from "../../values/printAs.ts"
import type { HandleTarget } from "../../kernel/shared/handleTarget.ts"

export const DefinitionTypeId = "~effect-otp/behaviour/GenServer/Definition"

export interface ServerStarter {
  /** The copy of the library that it comes from. */
  readonly copy: typeof thisCopy
  readonly id: string
  readonly client: (target: HandleTarget) => Handle<unknown>
  readonly start: (args: ReadonlyArray<unknown>, where: StartOptions) => Effect.Effect<ProcessRecord, unknown>
}

/** Makes a part of an uninterruptible effect interruptible. */
export type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

export interface StartOptions {
  readonly target: HandleTarget
  readonly adoption: Adoption | undefined
  /** Given by a starter that is in an uninterruptible region of its own. */
  readonly restore?: Restore | undefined
}

interface Parts {
  readonly starter: ServerStarter
  readonly layer: unknown
  readonly start: unknown
}

/** The definition as users see it. */
export const makeDefinition = <A extends object>({ starter, layer, start }: Parts, more: A) =>
  printAs(
    Object.assign(Object.create(Prototype) as Pipeable, { [DefinitionTypeId]: starter, layer, start, ...more }),
    () => `Definition(${starter.id})`
  )

/** The part of a definition that starts servers. Anything that is not a definition of this copy of the library is refused. */
export const starterOf = (
  to: string,
  definition: { readonly [DefinitionTypeId]: { readonly id: string } },
  what = "a definition of a server, as define gives it"
): ServerStarter => {
  const starter = read(definition, DefinitionTypeId)
  if (read(starter, "copy") === thisCopy) return starter as ServerStarter
  return refuseArgument({ to, what, isForeign: starter !== undefined }, definition)
}

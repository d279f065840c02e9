/** Makes a definition that can be started from the options of a server, without their types. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Check from "../../../values/check.ts"
import { thisCopy } from "../../../values/copies.ts"
import { processLayer, targetIn, type Adoption } from "../../../kernel/shared/adoption.ts"
import { type Handle } from "../../../kernel/Handle.ts"
import { bound, type Bound } from "../../../kernel/Mailbox.ts"
import { shutdown } from "../../../kernel/Shutdown.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { viewAs } from "../../../kernel/shared/processView.ts"
import type { Claim } from "../../../naming/Registry.ts"
import { isVia, viaOf } from "../../../naming/shared/registryVia.ts"
import type { ServerStarter, Restore, StartOptions } from "../../shared/definition.ts"
import { scopeLimit } from "../defaults.ts"
import type { ServerSpec } from "./serverSpec.ts"
import { startServer, type ServerStart } from "./start.ts"
import { checkedName, claimName } from "../../../naming/shared/names.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** The service class that a definition belongs to. @internal */
export interface ServiceParts {
  readonly id: string
  readonly key: Context.Key<unknown, unknown>
  readonly makeClient: (target: HandleTarget) => Handle<unknown>
}

/** @internal */
export interface DefineOptions extends Partial<
  Omit<ServerSpec, "id" | "view" | "makeClient" | "handlers" | "idleMillis" | "turnMillis">
> {
  /** What listings call it. Default: `"GenServer"`. */
  readonly behaviour?: "Agent" | "StateMachine" | undefined
  readonly init: (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>
  readonly handlers: ServerSpec["handlers"]
  readonly name?: ServerName | ((...args: ReadonlyArray<unknown>) => ServerName) | undefined
  readonly mailbox?: Bound | undefined
  readonly idleTimeout?: Duration.Input | undefined
  readonly turnTimeout?: Duration.Input | undefined
}

/** What can be the name of a server. @internal */
export type ServerName = string | Claim

/** @internal */
export const define = (parts: ServiceParts, options: DefineOptions) => {
  const starter = makeStarter(parts, options)
  const layer = (...args: ReadonlyArray<unknown>): Layer.Layer<unknown, unknown> =>
    processLayer(
      (adoption) =>
        Effect.map(inScope(starter, args, adoption), (target) => Context.make(parts.key, parts.makeClient(target))),
      { key: parts.id, definition: starter, args }
    )
  // Each run of the effect starts a new server with a target of its own.
  const start = (...args: ReadonlyArray<unknown>): Effect.Effect<Handle<unknown>, unknown, Scope.Scope> =>
    Effect.suspend(() => Effect.map(inScope(starter, args, undefined), parts.makeClient))
  return { starter, layer, start }
}

const makeStarter = (parts: ServiceParts, options: DefineOptions): ServerStarter => {
  const spec = specOf(parts, options)
  if (typeof options.name !== "function") checked(options.name)
  return {
    copy: thisCopy,
    id: parts.id,
    client: parts.makeClient,
    start: (args, where) => {
      const startWith = (restore: Restore) => Effect.suspend(() => startIn(spec, options, { ...where, restore, args }))
      return where.restore === undefined ? Effect.uninterruptibleMask(startWith) : startWith(where.restore)
    }
  }
}

const startIn = (
  spec: ServerSpec,
  options: DefineOptions,
  where: StartOptions & { readonly restore: Restore; readonly args: ReadonlyArray<unknown> }
): Effect.Effect<ProcessRecord, unknown> => {
  const { args, adoption, restore, target } = where
  const name = nameOf(options, args)
  const start: ServerStart = {
    spec,
    target,
    parent: adoption?.parent,
    isAdopted: adoption !== undefined,
    init: Effect.suspend(() => options.init(...args)),
    beforeInit: (record) => {
      const claimed = claim(record, name)
      if (Exit.isSuccess(claimed)) adoption?.adopt(record)
      return claimed
    }
  }
  return startServer(start, restore)
}

const nameOf = (options: DefineOptions, args: ReadonlyArray<unknown>): ServerName | undefined =>
  typeof options.name === "function" ? checked(options.name(...args)) : options.name

const checked = (name: ServerName | undefined): ServerName | undefined =>
  name === undefined || isVia(name) ? name : checkedName(name)

const claim = (record: ProcessRecord, name: ServerName | undefined): Exit.Exit<void, unknown> => {
  if (name === undefined) return Exit.void
  return isVia(name) ? viaOf(name).claim(record) : claimName(record.kernel, name, record)
}

/** Starts a server that ends with the scope, unless a supervisor adopts it. */
const inScope = (
  starter: ServerStarter,
  args: ReadonlyArray<unknown>,
  adoption: Adoption | undefined
): Effect.Effect<HandleTarget, unknown, Scope.Scope> => {
  const target = targetIn(adoption?.targets, starter.id)
  if (adoption !== undefined) return Effect.as(starter.start(args, { target, adoption }), target)
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(starter.start(args, { target, adoption, restore }), (record) => {
      return Effect.as(endWithScope(record), target)
    })
  )
}

/** The finalizer holds only the record: other values of the start must not live as long as the server. */
const endWithScope = (record: ProcessRecord): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Scope.Scope, (scope) => Scope.addFinalizerExit(scope, ending(record)))

const ending = (record: ProcessRecord) => () =>
  Effect.provideContext(shutdown(record, { limit: scopeLimit }), record.context)

const specOf = (parts: ServiceParts, options: DefineOptions): ServerSpec => ({
  id: parts.id,
  view: viewAs(options.behaviour ?? "GenServer"),
  makeClient: parts.makeClient,
  handlers: Object.assign(Object.create(null), options.handlers),
  info: options.info,
  continue: options.continue,
  idle: options.idle,
  terminate: options.terminate,
  formatStatus: options.formatStatus,
  lens: options.lens,
  mailbox: options.mailbox === undefined ? undefined : bound(options.mailbox),
  drain: options.drain ?? false,
  idleMillis: limitOf(`${parts.id}: idleTimeout`, options.idleTimeout),
  turnMillis: limitOf(`${parts.id}: turnTimeout`, options.turnTimeout)
})

/** Undefined means no limit. */
const limitOf = (what: string, input: Duration.Input | undefined): number | undefined => {
  if (input === undefined) return undefined
  const millis = Duration.toMillis(Check.positiveDuration(what, input))
  return millis === Infinity ? undefined : millis
}

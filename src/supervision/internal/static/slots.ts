/** The children of one supervisor: the run each is in, and what it gives to its later siblings and to the world. */
import * as Context from "effect/Context"
import { eachTarget, innerTargets, SupervisedLayers, type Targets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { make } from "../../../kernel/shared/waiting.ts"
import type { Untyped } from "../../ChildSpec.ts"
import type { ChildRun } from "../child/childRun.ts"
import { handlesOf } from "../child/handles.ts"
import type { RestartSteps } from "../child/restartSchedule.ts"
import type { Options } from "../group/group.ts"
import { leave } from "../child/stragglers.ts"
import type { SupervisedHere } from "../tree/supervised.ts"
import { TreeProcess } from "../tree/treeProcess.ts"

/** What a supervisor is told of its children. @internal */
export interface SupervisorSpec {
  readonly id: string
  readonly options: Options
  readonly children: ReadonlyArray<Untyped>
  /** The schedule of a child; undefined: restart at once. */
  readonly schedule: (child: number) => RestartSteps | undefined
}

/** @internal */
export interface Slot {
  readonly id: string
  readonly targets: Targets
  /** Let go of once a temporary child has ended. */
  spec: Untyped | undefined
  run: ChildRun | undefined
  incarnation: number
  startedAt: number
  /** How long its last run was up. */
  uptime: number
  readonly steps: RestartSteps | undefined
  /** What it gives now. Handles outlive the child. */
  given: Context.Context<never>
}

/** The handles a child gives, by its place: they are good for every run of it, and for every run of its supervisor. */
const known = new WeakMap<Targets, Context.Context<never>>()

/** @internal */
export class Slots {
  private readonly all: ReadonlyArray<Slot>
  private readonly byId: ReadonlyMap<string, Slot>
  /** The Layers its children were started by, and those of supervisors below. */
  private readonly supervised: SupervisedHere

  constructor({ children, options, schedule }: SupervisorSpec, targets: Targets, supervised: SupervisedHere) {
    this.supervised = supervised
    this.all = children.map((spec, index) => {
      const { id } = options.members[index]!
      const place = innerTargets(targets, id, spec.options.id)
      return {
        id,
        targets: place,
        spec,
        run: undefined,
        incarnation: 0,
        startedAt: 0,
        uptime: 0,
        steps: schedule(index),
        // Somebody may need a child that is terminated before it has come up in this run.
        given: known.get(place) ?? Context.empty()
      }
    })
    this.byId = new Map(this.all.map((slot) => [slot.id, slot]))
  }

  at(child: number): Slot {
    return this.all[child]!
  }

  withId(id: string): Slot | undefined {
    return this.byId.get(id)
  }

  /** Says what the restart of each child waits for. */
  restartsWaitFor(blockers: (child: number) => Iterable<ProcessRecord>): void {
    for (const [child, { targets }] of this.all.entries()) targets.restart = make(() => blockers(child))
  }

  /** Latest first. */
  get runs(): ReadonlyArray<ChildRun> {
    return this.all.flatMap(({ run }) => (run === undefined ? [] : [run])).toReversed()
  }

  /** The environment of a child: the supervisor's, and what earlier siblings give. */
  environment(child: number, context: Context.Context<never>): Context.Context<never> {
    const own: Context.Context<never> = Context.omit(Self)(context)
    return Context.add(merged(own, this.all.slice(0, child)), SupervisedLayers, this.supervised)
  }

  /** The handles of all children. */
  get exports(): Context.Context<never> {
    return merged(
      Context.empty(),
      this.all.filter(({ spec }) => spec?.kind !== "resource")
    )
  }

  /** Takes in what a child has built. */
  started(child: number, built: Context.Context<never>): void {
    const slot = this.at(child)
    const { spec } = slot
    const key = spec!.key as Context.Key<never, unknown> | undefined
    if (key !== undefined) {
      slot.given = Context.make(key, Context.getUnsafe(built, key))
      return
    }
    slot.given = handlesOf(built)
    known.set(slot.targets, slot.given)
  }

  /** The process of a child is up. */
  supervises(child: number, layer: object, gives: Context.Context<never>): void {
    const { run, targets } = this.at(child)
    const below = run?.record instanceof TreeProcess ? run.record.supervised : undefined
    this.supervised.add(child, { layer, supervised: { targets, context: handlesOf(gives) }, below })
  }

  /** What has not ended by now: the next run of the supervisor has to wait for it. */
  leaveBehind(): void {
    for (const { run, targets } of this.all) if (run?.isOver() === false) leave(targets, run)
  }

  /** What a pid somebody keeps must not hold. */
  clear(): void {
    for (const slot of this.all) {
      slot.spec = slot.run = undefined
      slot.given = Context.empty()
    }
  }

  /** A temporary child has ended: nobody will start it again, so nobody has to wait for that. */
  forget(child: number): void {
    const slot = this.at(child)
    const reason = slot.run?.record?.reason ?? ExitReason.normal
    eachTarget(slot.targets, (target) => target.leave(reason))
    if (slot.run?.isOver() === false) leave(slot.targets, slot.run)
    slot.spec = undefined
    slot.run = undefined
  }
}

const merged = (context: Context.Context<never>, slots: ReadonlyArray<Slot>): Context.Context<never> => {
  const services = new Map(context.mapUnsafe)
  for (const { given } of slots) for (const [key, service] of given.mapUnsafe) services.set(key, service)
  return Context.makeUnsafe(services)
}

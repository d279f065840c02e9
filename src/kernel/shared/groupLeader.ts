/**
 * Says which application a process belongs to, wherever it stands in the process tree.
 *
 * Every process belongs to the group of the process or fiber that started it. An application is the leader of a group:
 * when it stops, it ends the processes that are left in its group. For authors of runners such as `Application`.
 *
 * **Guarantees**
 *
 * - A process keeps its leader for life, even after its parents have ended.
 * - A process in the tree of an application belongs to that application, whoever asked for it.
 *
 * **In Erlang/OTP**
 *
 * The group leader of a process. It has nothing to do with output here.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import { ownKey } from "../../values/copies.ts"
import { printAs } from "../../values/printAs.ts"
import type { Pid } from "../Pid.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The view that a leader has of a process.
 *
 * @category models
 * @since 0.1.0
 */
export interface Member extends Pid {
  readonly leader: GroupLeader | undefined
  readonly label: string | undefined
  readonly name: string | undefined
  readonly child: string | undefined
  readonly isAlive: boolean
}

/**
 * The view that a leader has of a kernel.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaderKernel {
  readonly table: { readonly values: () => Iterable<Member> }
  readonly zombies: Iterable<Member>
}

/**
 * The leader of a group of processes.
 *
 * @category models
 * @since 0.1.0
 */
export class GroupLeader {
  /** The leader of the group in which this group was started. */
  readonly above: GroupLeader | undefined
  /** True once the group is over. After that nothing is started in it. */
  hasEnded = false
  private readonly kernels = new Set<LeaderKernel>()

  constructor(above: GroupLeader | undefined) {
    this.above = above
  }

  /** Whether this group is that group, or was started inside it at any depth. */
  isWithin(leader: GroupLeader): boolean {
    return leader === this || this.above?.isWithin(leader) === true
  }

  /** Remembers that a process of this group lives in a kernel. */
  addKernel(kernel: LeaderKernel): void {
    if (this.kernels.has(kernel)) return
    this.kernels.add(kernel)
    this.above?.addKernel(kernel)
  }

  /** The processes of this group, and of groups inside it, that have not ended. Zombies are included. */
  get members(): ReadonlyArray<Member> {
    const found: Array<Member> = []
    for (const kernel of this.kernels) {
      for (const record of kernel.table.values()) if (record.leader?.isWithin(this) === true) found.push(record)
      for (const record of kernel.zombies) if (record.leader?.isWithin(this) === true) found.push(record)
    }
    return found
  }
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The leader of the group for processes that are started here. Default: none.
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentGroupLeader: Context.Reference<GroupLeader | undefined> = Context.Reference<
  GroupLeader | undefined
>(ownKey("effect-otp/kernel/CurrentGroupLeader"), { defaultValue: () => undefined })

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The leader of a new process in a kernel. It is the leader of its parent, unless the process is started in a group
 * inside that one. Throws a `RangeError` if a fiber has outlived its group and is in no other: nothing would end the
 * process it starts.
 *
 * @category operations
 * @since 0.1.0
 */
export const leaderOf = (
  kernel: LeaderKernel,
  parent: Member | undefined,
  context: Context.Context<never>
): GroupLeader | undefined => {
  const above = parent?.leader
  const here = Context.get(context, CurrentGroupLeader)
  if (here?.hasEnded === true && above === undefined) throw new RangeError(ENDED)
  const isInner = here !== undefined && !here.hasEnded && (above === undefined || here.isWithin(above))
  const leader = isInner ? here : above
  leader?.addKernel(kernel)
  return leader
}

// ---- internals ----------------------------------------------------------------------------------------------------

const ENDED = "Nothing can be started here: the application that this fiber belongs to has ended"

printAs(GroupLeader.prototype, () => "GroupLeader")

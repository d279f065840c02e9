/** When the processes of a kernel were started. It is known only while somebody wants to know. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { ProcessTable } from "./processTable.ts"

interface Birth {
  readonly id: number
  /** In milliseconds since 1970. */
  readonly at: number
}

export class Births {
  private readonly births = new ProcessTable<Birth>()
  /** How many want to know. */
  users = 0

  note(id: number, context: Context.Context<never>): void {
    this.births.add({ id, at: Context.get(context, Clock.Clock).currentTimeMillisUnsafe() })
  }

  forget(id: number): void {
    const birth = this.births.get(id)
    if (birth !== undefined) this.births.remove(birth)
  }

  /** In milliseconds since 1970. Undefined for a process that was there before. */
  of(id: number): number | undefined {
    return this.births.get(id)?.at
  }
}

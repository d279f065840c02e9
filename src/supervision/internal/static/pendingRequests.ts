/** The requests to a supervisor that are not answered yet. */
import type { ChildEnd } from "../core/childEnd.ts"
import type { Result } from "../group/group.ts"

/** It must not run a user's code. @internal */
export type Answer = (result: Result<ChildEnd>) => void

/** @internal */
export class PendingRequests {
  private readonly open = new Map<number, Answer>()
  private last = 0

  /** Adds a request and returns its number. */
  add(answer: Answer): number {
    this.open.set(++this.last, answer)
    return this.last
  }

  /** Answers a request. A second answer has no effect. */
  answer(request: number, result: Result<ChildEnd>): void {
    const answer = this.open.get(request)
    this.open.delete(request)
    answer?.(result)
  }

  /** The supervisor has ended. */
  close(): void {
    for (const request of this.open.keys()) this.answer(request, { _tag: "SupervisorStopping" })
  }
}

import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { type RestartPolicy, Supervisor } from "effect-otp"
import { ExitReason } from "effect-otp/kernel"
import { boom, child, end, quiet, run, treeTest } from "../fixtures/supervision.ts"

const reasons: ReadonlyArray<readonly [string, ExitReason.ExitReason]> = [
  ["Normal", ExitReason.normal],
  ["Shutdown", ExitReason.shutdown()],
  ["Shutdown with a detail", ExitReason.shutdown({ why: "deploy" })],
  ["Killed", ExitReason.killed],
  ["Crash", boom]
]

const restarts = (restart: RestartPolicy.Restart, reason: ExitReason.ExitReason): boolean =>
  restart === "permanent" || (restart === "transient" && !ExitReason.isExpected(reason))

/** What follows the end of `b` in the list a, b, c, d, if `b` has to restart. */
const after: Record<Supervisor.Strategy, ReadonlyArray<string>> = {
  oneForOne: ["-b1", "+b2"],
  oneForAll: ["-b1", "-d1", "-c1", "-a1", "+a2", "+b2", "+c2", "+d2"],
  restForOne: ["-b1", "-d1", "-c1", "+b2", "+c2", "+d2"]
}

describe("strategy × restart type × exit reason", () => {
  for (const strategy of ["oneForOne", "oneForAll", "restForOne"] as const) {
    for (const restart of ["permanent", "transient", "temporary"] as const) {
      for (const [title, reason] of reasons) {
        const again = restarts(restart, reason)
        const entries = again ? after[strategy] : ["-b1"]
        treeTest(
          `${strategy}, ${restart}, ${title}: ${entries.join(" ")}`,
          ({ journal }) =>
            Effect.gen(function* () {
              class Sup extends Supervisor.Service<Sup>()("test/Sup", {
                strategy,
                children: [
                  child(journal, "a"),
                  child(journal, "b", { restart }),
                  child(journal, "c"),
                  child(journal, "d")
                ]
              }) {}
              const { close } = yield* run(Sup.layer)
              yield* journal.expect("+a1", "+b1", "+c1", "+d1")
              yield* end(journal, "b", reason)
              yield* quiet
              const seen = journal.entries.splice(0)
              // A killed child is released while the others already stop.
              const withoutB = (entry: string) => reason._tag !== "Killed" || entry !== "-b1"
              assert.deepStrictEqual(seen.filter(withoutB), entries.filter(withoutB))
              const started = seen.findIndex((entry) => entry.startsWith("+"))
              assert.isTrue(started === -1 || seen.indexOf("-b1") < started)
              assert.strictEqual(seen.length, entries.length)
              yield* close
            }),
          5
        )
      }
    }
  }
})

/** Measures one arm in this process and prints its figure or figures as JSON: `node --expose-gc --conditions=source one.ts <arm> <scale>`. */
import { Effect, Exit, Scope } from "effect"
import { Kernel } from "effect-otp"
import { arms } from "./arms/index.ts"
import type { Figure } from "./arm.ts"
import { median } from "./statistics.ts"

/** The median of each. */
const medians = (figures: ReadonlyArray<Figure>): Figure => {
  const [first] = figures
  if (typeof first === "number") return median(figures as ReadonlyArray<number>)
  const each = figures as ReadonlyArray<Readonly<Record<string, number>>>
  return Object.fromEntries(Object.keys(first!).map((end) => [end, median(each.map((one) => one[end]!))]))
}

const [name = "", scale = "1"] = process.argv.slice(2)
const arm = arms[name]
if (arm === undefined) throw new RangeError(`There is no arm "${name}"`)

const figures: Array<Figure> = []
const times = arm.warmups + arm.repetitions
const program = Effect.gen(function* () {
  for (let i = 1; i <= times; i++) {
    const scope = Scope.makeUnsafe()
    const figure = yield* Scope.provide(arm.measure(Number(scale)), scope)
    if (i > arm.warmups) figures.push(figure)
    // The servers of the last one end with this process, so there is no need to wait for them.
    if (i < times) yield* Scope.close(scope, Exit.void)
  }
})

await Effect.runPromise(arm.scheduler === "runQueue" ? Effect.provide(program, Kernel.layerScheduler) : program)
process.stdout.write(JSON.stringify(medians(figures)), () => process.exit())

/** Measures one arm in this process and prints its figure: `node --expose-gc --conditions=source one.ts <arm> <scale>`. */
import { Effect } from "effect"
import { Kernel } from "effect-otp"
import { arms } from "./arms/index.ts"
import { median } from "./statistics.ts"

const [name = "", scale = "1"] = process.argv.slice(2)
const arm = arms[name]
if (arm === undefined) throw new RangeError(`There is no arm "${name}"`)

const once = Effect.scoped(arm.measure(Number(scale)))
const figures: Array<number> = []
const program = Effect.gen(function* () {
  for (let i = 0; i < arm.warmups; i++) yield* once
  for (let i = 0; i < arm.repetitions; i++) figures.push(yield* once)
})

await Effect.runPromise(arm.scheduler === "runQueue" ? Effect.provide(program, Kernel.layerScheduler) : program)
process.stdout.write(String(median(figures)))

import { Effect, Logger } from "effect"
import { Process } from "effect-otp"
const b = performance.now()
const prog = Effect.gen(function* () {
  yield* Effect.forEach(
    Array.from({ length: 30 }, (_, i) => i),
    () => Process.spawn(Effect.die("x"), { label: "same" })
  )
  yield* Effect.sleep("20 millis")
})
await Effect.runPromise(
  Effect.provide(prog, Logger.layer([Logger.make(({ message, logLevel }) => console.log(logLevel, String(message)))]))
)
console.log("end of program", performance.now() - b)
process.on("exit", () => console.log("exit", performance.now() - b))

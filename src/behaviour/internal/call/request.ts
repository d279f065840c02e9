/** Effects that are objects of a class: one small object for each, where a closure in an effect would be three. */
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Fiber from "effect/Fiber"

const Base = function () {} as unknown as new <A, E>() => Effect.Effect<A, E>
Base.prototype = Effectable.Prototype<Request<unknown, unknown>>({
  label: "effect-otp/Request",
  evaluate(fiber) {
    return this.run(fiber)
  }
})

/** @internal */
export abstract class Request<A, E = never> extends Base<A, E> {
  /** What it does when a fiber comes to it. */
  abstract run(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E>
}

/**
 * Takes the place of a server or a supervisor in the tests of its users: its methods, and no process.
 *
 * A client is a plain service, so any object of its type can take its place. A double is an object with the methods
 * that a test needs. A call of any other method is a defect that says so.
 *
 * **Not here**
 *
 * For a double that behaves like a process, with a mailbox, a state and crashes, define the same service again with
 * other handlers. A double cannot be the child of a supervisor, because it starts no process.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { targetIn } from "../kernel/shared/adoption.ts"
import * as Handle from "../kernel/Handle.ts"
import type { Stable } from "../supervision/ChildSpec.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Some of the methods of a service: those that a test needs.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Methods<S> = { readonly [K in Exclude<keyof S, typeof Handle.TypeId>]?: S[K] }

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Makes a double of a service: an object with the methods that a test needs.
 *
 * **Details**
 *
 * A call of any other method is a defect that names the method. The double has no process: a monitor of it gets a
 * `Down` with `NoProcess`.
 *
 * **Example** (A double with one method)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { TestDouble } from "effect-otp/testing"
 * import { Rpc } from "effect/rpc"
 *
 * class Stock extends GenServer.Service<Stock>()("shop/Stock", [Rpc.make("left", { success: Schema.Finite })]) {}
 *
 * const stock = TestDouble.make(Stock, { left: () => Effect.succeed(3) })
 *
 * await Effect.runPromise(stock.left()) // => 3
 * ```
 *
 * @see {@link layer} to provide it
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make = <I, S extends Stable["Service"]>(key: Context.Key<I, S>, methods: Methods<S>): S => {
  const double = { [Handle.TypeId]: targetIn(undefined, key.key), ...methods }
  return new Proxy(double, {
    get: (target, name) =>
      name in target || typeof name === "symbol" || asked.has(name)
        ? Reflect.get(target, name)
        : () => Effect.die(new Error(`${key.key}: the test double has no method "${name}"`))
  }) as unknown as S
}

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * Provides a double of a service in its place.
 *
 * **Example** (Testing a shop sign without a stock)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { GenServer } from "effect-otp"
 * import { TestDouble } from "effect-otp/testing"
 *
 * class Stock extends GenServer.Service<Stock>()("shop/Stock", [
 *   Rpc.make("left", { success: Schema.Number }),
 *   GenServer.cast("deliver")
 * ]) {}
 *
 * const sign = Effect.gen(function*() {
 *   const stock = yield* Stock
 *   return (yield* stock.left()) === 0 ? "sold out" : "come in"
 * })
 *
 * const soldOut = TestDouble.layer(Stock, { left: () => Effect.succeed(0) })
 *
 * await Effect.runPromise(Effect.provide(sign, soldOut)) // => "sold out"
 * ```
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer = <I, S extends Stable["Service"]>(key: Context.Key<I, S>, methods: Methods<S>): Layer.Layer<I> =>
  Layer.succeed(key, make(key, methods))

// ---- internals ----------------------------------------------------------------------------------------------------

/** The properties that the host, and code that prints or compares a value, reads from any object. */
const asked = new Set([
  "then",
  "toJSON",
  "toString",
  "constructor",
  "asymmetricMatch",
  "nodeType",
  "tagName",
  "$$typeof"
])

/**
 * The fiber of a `Layer.launch`, which must end with the tree that it holds.
 *
 * Effect has no way to fail a fiber from outside, and no way to ask whether a fiber only holds a scope. So the fiber is
 * interrupted, and a finalizer of the tree dies with the reason: that defect is then the exit of the launch. Whether
 * the fiber only holds its scope is read from its stack, which is not part of Effect's API. If the stack does not tell,
 * the fiber is not touched; nor is any fiber that goes on after it has built the tree.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

/** A fiber that may be launching what it builds now. @internal */
export interface LaunchFiber {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly memoMap: Layer.MemoMap
  /** The steps for its exit that were on its stack already when it built the tree. */
  readonly exits: ReadonlyArray<Frame>
}

/** @internal */
export const launchFiberOf = (fiber: Fiber.Fiber<unknown, unknown>): LaunchFiber | undefined => {
  const memoMap = memoMapOf(fiber)
  return memoMap === undefined ? undefined : { fiber, memoMap, exits: internalsOf(fiber)._stack?.filter(isExit) ?? [] }
}

/** Interrupts the fiber once it is launching: now, or when the later layers have been built. @internal */
export const interruptLaunch = (launch: LaunchFiber, begin: () => void): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { fiber } = launch
    if (fiber.pollUnsafe() !== undefined) return Effect.void
    if (!isLaunching(launch)) return Effect.andThen(Effect.sleep("1 second"), interruptLaunch(launch, begin))
    begin()
    fiber.interruptUnsafe()
    return Effect.void
  })

/** Whether the fiber waits for ever, and only has to close its scope. */
const isLaunching = ({ exits, fiber, memoMap }: LaunchFiber): boolean => {
  if (fiber.pollUnsafe() !== undefined || Context.getOrUndefined(fiber.context, Scope.Scope) === undefined) return false
  // A program inside an `Effect.provide` of the tree goes on, and its calls fail.
  if (isWithin(memoMapOf(fiber), memoMap)) return false
  const { _running, _stack } = internalsOf(fiber)
  const next = _stack?.at(-1)
  // It has begun nothing since it built the tree, and its next step is an exit.
  return _running === false && next !== undefined && exits.includes(next)
}

interface Frame {
  readonly "~effect/Effect/identifier"?: unknown
}

interface FiberInternals {
  readonly _running?: boolean
  readonly _stack?: ReadonlyArray<Frame>
}

const internalsOf = (fiber: Fiber.Fiber<unknown, unknown>): FiberInternals => fiber as unknown as FiberInternals

const isExit = (frame: Frame): boolean => frame["~effect/Effect/identifier"] === "OnExit"

interface Forked extends Layer.MemoMap {
  readonly parent?: Forked | undefined
}

const memoMapOf = (fiber: Fiber.Fiber<unknown, unknown>): Forked | undefined =>
  Context.getOrUndefined(fiber.context, Layer.CurrentMemoMap)

const isWithin = (map: Forked | undefined, outer: Layer.MemoMap): boolean =>
  map !== undefined && (map === outer || isWithin(map.parent, outer))

import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Scope } from "effect"
import { Adoption, Process } from "effect-otp/kernel"
import { asProcess, idle, kernelTest } from "../fixtures/kernel.ts"

class Thing extends Context.Service<Thing, { readonly n: number }>()("test/Thing") {}

/** Each build is another thing; each release is noted. */
const things = () => {
  const builds: Array<Adoption.Place | undefined> = []
  const released: Array<number> = []
  const layer = Adoption.processLayer((place) =>
    Effect.gen(function* () {
      const n = builds.push(place)
      yield* Scope.addFinalizer(
        yield* Scope.Scope,
        Effect.sync(() => released.push(n))
      )
      return Context.make(Thing, { n })
    })
  )
  return { layer, builds, released }
}

const placeOf = Effect.gen(function* () {
  const parent = Process.recordOf(yield* idle())
  let taken: object | undefined
  const place: Adoption.Place = {
    parent,
    targets: Adoption.makeTargets(),
    take: (layer) => {
      if (taken !== undefined) return false
      taken = layer
      return true
    },
    adopt: () => {}
  }
  return { place, takenBy: () => taken, end: Process.kill(parent) }
})

const build = <A, E>(layer: Layer.Layer<A, E>) =>
  Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(layer, scope))

describe("processLayer", () => {
  kernelTest(
    "without a place belongs to its scope, and is shared as every Layer",
    Effect.gen(function* () {
      const { builds, layer, released } = things()
      const use = Effect.map(Thing, ({ n }) => n)
      assert.strictEqual(yield* Effect.provide(use, Layer.mergeAll(layer, Layer.fresh(Layer.empty), layer)), 1)
      assert.deepStrictEqual(builds, [undefined])
      assert.deepStrictEqual(released, [1])
    })
  )

  kernelTest(
    "with a place takes it, and is built anew for each place, whatever the memo map holds",
    Effect.gen(function* () {
      const { builds, layer } = things()
      const memoMap = yield* Layer.makeMemoMap
      const scope = yield* Effect.scope
      const built = (place: Adoption.Place | undefined) =>
        Layer.buildWithMemoMap(layer, memoMap, scope).pipe(
          Effect.provideService(Adoption.CurrentAdoption, place),
          Effect.map((context) => Context.get(context, Thing).n)
        )
      const first = yield* placeOf
      const second = yield* placeOf
      assert.strictEqual(yield* built(undefined), 1)
      assert.strictEqual(yield* built(first.place), 2)
      assert.strictEqual(yield* built(second.place), 3)
      assert.strictEqual(yield* built(undefined), 1)
      assert.deepStrictEqual(builds, [undefined, first.place, second.place])
      assert.strictEqual(first.takenBy(), layer)
      yield* first.end
      yield* second.end
    })
  )

  kernelTest(
    "a place taken twice is a defect that says what to do",
    Effect.gen(function* () {
      const a = things()
      const b = things()
      const { end, place } = yield* placeOf
      const exit = yield* Effect.exit(
        Effect.provideService(build(Layer.merge(a.layer, b.layer)), Adoption.CurrentAdoption, place)
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      if (Exit.isFailure(exit)) assert.include(Cause.pretty(exit.cause), "Supervisor.child(A.layer)")
      yield* end
    })
  )

  kernelTest(
    "a Layer that is supervised already gives what its child gives",
    Effect.gen(function* () {
      const { builds, layer } = things()
      const targets = Adoption.makeTargets()
      const gives = { targets, context: Context.make(Thing, { n: 42 }) }
      const supervised = { find: (asked: object) => (asked === layer ? gives : undefined) }
      const built = build(layer).pipe(
        Effect.provideService(Adoption.SupervisedLayers, supervised),
        Effect.map((context) => Context.get(context, Thing).n)
      )
      assert.strictEqual(yield* built, 42)
      const { end, place } = yield* placeOf
      assert.strictEqual(yield* Effect.provideService(built, Adoption.CurrentAdoption, place), 42)
      assert.strictEqual(builds.length, 0)
      // Its own restart is no second process.
      const own = { ...place, targets }
      assert.strictEqual(yield* Effect.provideService(built, Adoption.CurrentAdoption, own), 1)
      yield* end
    })
  )

  kernelTest(
    "the place is not handed on to processes that are spawned",
    Effect.gen(function* () {
      const { end, place } = yield* placeOf
      const found = yield* Effect.provideService(
        asProcess(() => Effect.flatMap(Adoption.CurrentAdoption, Effect.succeed)),
        Adoption.CurrentAdoption,
        place
      )
      assert.isUndefined(found)
      yield* end
    })
  )
})

describe("targets", () => {
  it("are made when first asked for, once for each key and child", () => {
    const targets = Adoption.makeTargets()
    const a = Adoption.targetIn(targets, "a")
    assert.strictEqual(a.key, "a")
    assert.strictEqual(Adoption.targetIn(targets, "a"), a)
    assert.notStrictEqual(Adoption.targetIn(targets, "b"), a)
    assert.notStrictEqual(Adoption.targetIn(undefined, "a"), Adoption.targetIn(undefined, "a"))
    const inner = Adoption.innerTargets(targets, "child")
    assert.strictEqual(Adoption.innerTargets(targets, "child"), inner)
    assert.notStrictEqual(Adoption.targetIn(inner, "a"), a)
  })

  it("eachTarget finds them all, however deep", () => {
    const targets = Adoption.makeTargets()
    Adoption.targetIn(targets, "a")
    const inner = Adoption.innerTargets(targets, "x")
    Adoption.targetIn(inner, "b")
    Adoption.targetIn(Adoption.innerTargets(inner, "y"), "c")
    const keys: Array<string> = []
    Adoption.eachTarget(targets, ({ key }) => void keys.push(key))
    assert.deepStrictEqual(keys, ["a", "b", "c"])
  })
})

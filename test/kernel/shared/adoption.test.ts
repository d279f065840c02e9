import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Process } from "effect-otp/kernel"
import * as Adoption from "../../../src/kernel/shared/adoption.ts"
import { asProcess, idle, kernelTest } from "../../fixtures/kernel.ts"
import { recordOf } from "../../../src/kernel/shared/processes.ts"

class Thing extends Context.Service<Thing, { readonly n: number }>()("test/Thing") {}

class Other extends Context.Service<Other, number>()("test/Other") {}

/** Each build makes another thing, and each release is recorded. */
const things = () => {
  const builds: Array<Adoption.Adoption | undefined> = []
  const released: Array<number> = []
  const layer = Adoption.processLayer((adoption) =>
    Effect.gen(function* () {
      const n = builds.push(adoption)
      yield* Scope.addFinalizer(
        yield* Scope.Scope,
        Effect.sync(() => released.push(n))
      )
      return Context.make(Thing, { n })
    })
  )
  return { layer, builds, released }
}

/** An adoption, the build that it is for, and the calls to its adopter. */
const adoptionOf = (targets = Adoption.makeTargets(), memoMap = Layer.makeMemoMapUnsafe()) =>
  Effect.map(idle(), (pid) => {
    const told: Array<string> = []
    const adoption = new Adoption.LayerAdoption(
      {
        parent: recordOf(pid),
        targets,
        adopt: () => {},
        up: ({ gives }) => told.push(`up ${Context.get(gives as Context.Context<Thing>, Thing).n}`),
        stop: Effect.sync(() => told.push("end"))
      },
      memoMap
    )
    /** Builds a Layer as the Layer of the child. */
    const build = <A, E>(layer: Layer.Layer<A, E>) =>
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.provideService(Layer.buildWithMemoMap(layer, memoMap, scope), Adoption.CurrentAdoption, adoption)
      )
    return { build, end: Process.kill(pid), adoption, told }
  })

const numberOf = (context: Context.Context<Thing>) => Context.get(context, Thing).n

const build = <A, E>(layer: Layer.Layer<A, E>) =>
  Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(layer, scope))

describe("processLayer", () => {
  kernelTest(
    "without an adoption belongs to its scope, and is shared like every Layer",
    Effect.gen(function* () {
      const { builds, layer, released } = things()
      const use = Effect.map(Thing, ({ n }) => n)
      assert.strictEqual(yield* Effect.provide(use, Layer.mergeAll(layer, Layer.fresh(Layer.empty), layer)), 1)
      assert.deepStrictEqual(builds, [undefined])
      assert.deepStrictEqual(released, [1])
    })
  )

  kernelTest(
    "takes an adoption, and is built anew for each, whatever the memo map holds",
    Effect.gen(function* () {
      const { builds, layer } = things()
      const memoMap = yield* Layer.makeMemoMap
      const scope = yield* Effect.scope
      const outside = Effect.map(Layer.buildWithMemoMap(layer, memoMap, scope), numberOf)
      const first = yield* adoptionOf(undefined, memoMap)
      const second = yield* adoptionOf(undefined, Layer.forkMemoMapUnsafe(memoMap))
      assert.strictEqual(yield* outside, 1)
      assert.strictEqual(yield* Effect.map(first.build(layer), numberOf), 2)
      assert.strictEqual(yield* Effect.map(second.build(layer), numberOf), 3)
      assert.strictEqual(yield* outside, 1)
      assert.deepStrictEqual(builds, [undefined, first.adoption, second.adoption])
      assert.deepStrictEqual([first.told, second.told], [["up 2"], ["up 3"]])
      yield* first.end
      yield* second.end
    })
  )

  kernelTest(
    "an adoption taken by two Layers is a defect that says what to do",
    Effect.gen(function* () {
      const a = things()
      const b = things()
      const { build, end, adoption } = yield* adoptionOf()
      const exit = yield* Effect.exit(build(Layer.merge(a.layer, b.layer)))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      if (Exit.isFailure(exit)) assert.include(Cause.pretty(exit.cause), "Supervisor.child(A.layer)")
      assert.isTrue(adoption.isContested)
      yield* end
    })
  )

  kernelTest(
    "a Layer that is used twice with one adoption is built once, as memoised Layers are",
    Effect.gen(function* () {
      const { builds, layer, released } = things()
      const { build, end, told } = yield* adoptionOf()
      const user = Layer.effectDiscard(Thing)
      const both = Layer.merge(Layer.provide(user, layer), Layer.provideMerge(Layer.provide(user, layer), layer))
      assert.strictEqual(numberOf(yield* Effect.scoped(build(both))), 1)
      assert.deepStrictEqual([builds.length, released, told], [1, [1], ["up 1", "end"]])
      yield* end
    })
  )

  kernelTest(
    "a fresh one beside it is a second process",
    Effect.gen(function* () {
      const { layer } = things()
      const { build, end, adoption } = yield* adoptionOf()
      assert.isTrue(Exit.isFailure(yield* Effect.exit(build(Layer.merge(layer, Layer.fresh(layer))))))
      assert.isTrue(adoption.isContested)
      yield* end
    })
  )

  kernelTest(
    "a Layer whose process did not come up leaves the adoption to another",
    Effect.gen(function* () {
      let starts = 0
      const flaky = Adoption.processLayer(() =>
        Effect.suspend(() =>
          ++starts < 3 ? Effect.fail("not yet") : Effect.succeed(Context.make(Thing, { n: starts }))
        )
      )
      const again = <E>(layer: Layer.Layer<Thing, E>) => Layer.catchCause(layer, () => flaky)
      const { build, end, told } = yield* adoptionOf()
      assert.strictEqual(numberOf(yield* build(again(again(flaky)))), 3)
      assert.deepStrictEqual(told, ["end", "end", "up 3"])
      yield* end
      const other = yield* adoptionOf()
      const failing = Adoption.processLayer((): Effect.Effect<Context.Context<Thing>, string> => Effect.fail("never"))
      const { layer } = things()
      assert.strictEqual(numberOf(yield* other.build(Layer.catchCause(failing, () => layer))), 1)
      yield* other.end
    })
  )

  kernelTest(
    "the dependencies of the process are released after it has ended, however the build ends",
    Effect.gen(function* () {
      const { layer } = things()
      for (const rest of [Effect.fail("broken"), Effect.die("broken"), Effect.interrupt, Effect.void]) {
        const { build, end, told } = yield* adoptionOf()
        const pool = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => told.push("pool released"))))
        const child = Layer.provideMerge(Layer.effectDiscard(rest), Layer.provide(layer, pool))
        yield* Effect.exit(Effect.scoped(build(child)))
        assert.deepStrictEqual(told.slice(-2), ["end", "pool released"])
        yield* end
      }
    })
  )

  kernelTest(
    "Layers that effects and forked fibers of the child's Layer provide find no adoption, now and later",
    Effect.gen(function* () {
      const child = things()
      const own = things()
      const provides = Effect.provide(Thing, own.layer)
      const scope = yield* Effect.scope
      const gate = yield* Deferred.make<void>()
      const later = yield* Deferred.make<number>()
      const rest = Layer.effectDiscard(
        Effect.gen(function* () {
          yield* provides
          yield* Effect.flatMap(Effect.forkChild(provides), Fiber.join)
          yield* Layer.buildWithScope(own.layer, scope)
          yield* Deferred.await(gate).pipe(
            Effect.andThen(provides),
            Effect.flatMap(({ n }) => Deferred.succeed(later, n)),
            Effect.forkDetach
          )
        })
      )
      const { build, end, adoption, told } = yield* adoptionOf()
      const built = yield* build(Layer.provideMerge(child.layer, rest))
      assert.strictEqual(numberOf(built), 1)
      adoption.close()
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Deferred.await(later), 4)
      assert.deepStrictEqual(own.builds, [undefined, undefined, undefined, undefined])
      assert.deepStrictEqual([adoption.isContested, told], [false, ["up 1"]])
      yield* end
    })
  )

  for (const [title, around] of [
    ["fresh", (layer: Layer.Layer<Thing>) => Layer.fresh(layer)],
    ["in a Layer.unwrap", (layer: Layer.Layer<Thing>) => Layer.unwrap(Effect.succeed(layer))],
    ["in a merge", (layer: Layer.Layer<Thing>) => Layer.mergeAll(Layer.empty, layer, Layer.empty)],
    [
      "provided with the context of another build",
      (layer: Layer.Layer<Thing>) => Layer.provide(layer, Layer.effectContext(Layer.build(Layer.succeed(Other, 1))))
    ]
  ] as const) {
    kernelTest(
      `${title} it takes the adoption`,
      Effect.gen(function* () {
        const { layer } = things()
        const { build, end, told } = yield* adoptionOf()
        yield* build(around(layer))
        assert.deepStrictEqual(told, ["up 1"])
        yield* end
      })
    )
  }

  kernelTest(
    "a Layer that is supervised already provides what its child provides",
    Effect.gen(function* () {
      const { builds, layer } = things()
      const targets = Adoption.makeTargets()
      const gives = { targets, context: Context.make(Thing, { n: 42 }) }
      const supervised = { find: (asked: object) => (asked === layer ? gives : undefined) }
      const inTree = Effect.provideService(Adoption.SupervisedLayers, supervised)
      assert.strictEqual(numberOf(yield* inTree(build(layer))), 42)
      const other = yield* adoptionOf()
      assert.strictEqual(numberOf(yield* inTree(other.build(layer))), 42)
      assert.strictEqual(builds.length, 0)
      // Its own restart is not a second process.
      const own = yield* adoptionOf(targets)
      assert.strictEqual(numberOf(yield* inTree(own.build(layer))), 1)
      yield* other.end
      yield* own.end
    })
  )

  kernelTest(
    "the adoption is not handed on to processes that are spawned",
    Effect.gen(function* () {
      const { end, adoption } = yield* adoptionOf()
      const found = yield* Effect.provideService(
        asProcess(() => Effect.flatMap(Adoption.CurrentAdoption, Effect.succeed)),
        Adoption.CurrentAdoption,
        adoption
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

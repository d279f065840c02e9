import { assert, it } from "@effect/vitest"
import { forAll } from "../../fixtures/property.ts"
import * as Relations from "../../../src/kernel/internal/linksAndMonitors.ts"

interface Node extends Relations.Node<Node> {
  readonly id: number
}

/** The plain model: pairs and a list. */
interface Model {
  readonly links: Set<string>
  monitors: Array<Relations.Monitor<Node>>
}

const key = (a: Node, b: Node) => [a.id, b.id].toSorted((x, y) => x - y).join("-")

const same = <A>(set: ReadonlySet<A> | undefined, expected: ReadonlyArray<A>) =>
  (set?.size ?? 0) === expected.length && expected.every((one) => set!.has(one))

const check = (nodes: ReadonlyArray<Node>, model: Model) => {
  for (const node of nodes) {
    const links = nodes.filter((other) => other !== node && model.links.has(key(node, other)))
    const watchers = model.monitors.filter((monitor) => monitor.pid === node)
    const watching = model.monitors.filter((monitor) => monitor.watcher === node)
    const { relations } = node
    if (!same(relations?.links, links)) assert.fail("links")
    if (!same(relations?.watchers, watchers)) assert.fail("watchers")
    if (!same(relations?.watching, watching)) assert.fail("watching")
    // A node without relations has no `relations` object.
    if (links.length + watchers.length + watching.length === 0 && relations !== undefined) assert.fail("kept")
  }
}

it("agrees with a plain model over random operations, and returns what to send", () => {
  forAll(({ size, int, pick }) => {
    const nodes: Array<Node> = Array.from({ length: 2 + int(5) }, (_, id) => ({ id, relations: undefined }))
    const model: Model = { links: new Set(), monitors: [] }
    const everMade: Array<Relations.Monitor<Node>> = []
    for (let step = 0; step < size; step++) {
      const a = pick(nodes)
      const b = pick(nodes)
      switch (int(5)) {
        case 0:
          Relations.link(a, b)
          if (a !== b) model.links.add(key(a, b))
          break
        case 1:
          assert.strictEqual(Relations.unlink(a, b), model.links.delete(key(a, b)))
          break
        case 2: {
          const made = Relations.monitor(a, b)
          everMade.push(made)
          if (a !== b) model.monitors.push(made)
          break
        }
        case 3: {
          if (everMade.length === 0) break
          const monitor = pick(everMade)
          const found = model.monitors.includes(monitor)
          assert.strictEqual(Relations.demonitor(monitor), found)
          model.monitors = model.monitors.filter((other) => other !== monitor)
          break
        }
        default: {
          const linked = nodes.filter((other) => other !== a && model.links.has(key(a, other)))
          const downs = model.monitors.filter((monitor) => monitor.pid === a)
          const deliveries = Relations.exited(a)
          const exits = deliveries.flatMap((delivery) => (delivery._tag === "Exit" ? [delivery.to] : []))
          assert.isTrue(same(new Set(exits), linked), "exits")
          const rest = deliveries.slice(exits.length)
          assert.strictEqual(rest.length, downs.length)
          // Exits first, then downs in the order the monitors were made.
          for (const [i, delivery] of rest.entries()) {
            assert.isTrue(delivery._tag === "Down" && delivery.monitor === downs[i])
            assert.isTrue(delivery.to === downs[i]!.watcher)
          }
          for (const other of linked) model.links.delete(key(a, other))
          model.monitors = model.monitors.filter((monitor) => monitor.pid !== a && monitor.watcher !== a)
        }
      }
      check(nodes, model)
    }
  })
})

/**
 * The rules of the architecture, as functions from a parsed file to its faults, so that they can be tested themselves.
 */
import * as path from "node:path"
import { Visitor } from "vite"
import { layerOf, position, ranks, type Source } from "./sources.ts"

export type Rule = (source: Source) => ReadonlyArray<string>

const local = (source: Source) =>
  source.imports
    .filter(({ from }) => from.startsWith("."))
    .map(({ from, at }) => ({ to: path.posix.join(path.posix.dirname(source.file), from), at }))

const isBarrel = (file: string): boolean => file.endsWith("/index.ts")

/** 1. A file imports from its own folder or a lower rank, never from the same rank. */
export const direction: Rule = (source) => {
  const layer = layerOf(source.file)
  if (layer === undefined) return []
  const rank = ranks[layer]
  if (rank === undefined) return [`${source.file}: folder ${layer} has no rank`]
  return local(source).flatMap(({ to, at }) => {
    const target = layerOf(to)
    if (target === layer) return []
    return target !== undefined && (ranks[target] ?? Infinity) < rank
      ? []
      : [`${position(source, at)}: ${layer} may not import ${to}`]
  })
}

/**
 * 2. A layer has three doors. Its public files are for everybody, `X/shared/*` is for layers of the same or a higher
 *    rank (rule 1 says which those are), `X/internal/*` is only for `X`. No barrel and no file outside the layers may
 *    use the latter two.
 */
export const internals: Rule = (source) => {
  const layer = isBarrel(source.file) ? undefined : layerOf(source.file)
  return local(source).flatMap(({ to, at }) => {
    const [, owner, door] = /^src\/([^/]+)\/(internal|shared)\//.exec(to) ?? []
    if (door === undefined || (layer !== undefined && (door === "shared" || owner === layer))) return []
    return [`${position(source, at)}: ${to} is ${door === "shared" ? "for layers alone" : `internal to ${owner}`}`]
  })
}

/** `src/X/internal/call/a.ts` is in the room `call` of `X`. A file directly in `internal/` is in no room. */
const roomOf = (file: string): string | undefined => /^(src\/[^/]+\/internal\/[^/]+)\//.exec(file)?.[1]

/** 4. The rooms of one `internal/` import each other in one direction only. */
export const rooms = (all: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const doors = new Map<string, Map<string, string>>()
  for (const source of all) {
    const room = roomOf(source.file)
    if (room === undefined) continue
    const own = doors.get(room) ?? new Map<string, string>()
    doors.set(room, own)
    for (const { to, at } of local(source)) {
      const target = roomOf(to)
      if (target !== undefined && target !== room && !own.has(target)) own.set(target, position(source, at))
    }
  }
  const found: Array<string> = []
  const done = new Set<string>()
  const walk = (room: string, path: ReadonlyArray<string>): void => {
    if (path.includes(room)) {
      const circle = [...path.slice(path.indexOf(room)), room]
      found.push(`${doors.get(path.at(-1)!)!.get(room)}: ${circle.join(" → ")} is a circle`)
      return
    }
    if (done.has(room)) return
    for (const next of doors.get(room)?.keys() ?? []) walk(next, [...path, room])
    done.add(room)
  }
  for (const room of doors.keys()) walk(room, [])
  return found
}

/** 3. Import files, never barrels, and no package except Effect's own. */
export const paths: Rule = (source) =>
  isBarrel(source.file)
    ? []
    : source.imports.flatMap(({ from, at }) => {
        const fine = /^(\.\.?\/.*(?<!\/index)\.ts|effect\/.+|@effect\/platform-node\/.+|node:.+)$/.test(from)
        return fine ? [] : [`${position(source, at)}: import the file, not ${from}`]
      })

const areas: ReadonlyArray<readonly [area: RegExp, layers: ReadonlyArray<string>]> = [
  [/^effect\/rpc\//, ["behaviour", "cluster"]],
  [/^effect\/http(-api)?\//, ["behaviour", "node", "observer"]],
  [/^effect\/socket\//, ["node", "port"]],
  [/^effect\/(cluster|sql)\//, ["cluster", "storage"]],
  [/^(effect\/(process|workers)\/|node:)/, ["port", "node"]],
  [/^@effect\/platform-node\//, ["port", "node"]],
  [/^effect\/testing\//, ["testing"]]
]

/** 5. Each outside area is used only by the layer that is responsible for it. */
export const outside: Rule = (source) =>
  source.imports.flatMap(({ from, at }) =>
    areas.flatMap(([area, layers]) =>
      area.test(from) && !layers.includes(layerOf(source.file) ?? "")
        ? [`${position(source, at)}: ${from} belongs to ${layers.join(" and ")}`]
        : []
    )
  )

const timers = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]
const clocks = ["Date.now", "Math.random", "performance.now", "process.hrtime"]

/** 6. Time, random numbers, output and failure go through Effect, except in guards against foreign code. */
export const host: Rule = (source) => {
  if (
    /^src\/(values\/|telemetry\/|kernel\/(internal|shared)\/|node\/|behaviour\/internal\/call\/messages\.ts$)/.test(
      source.file
    )
  )
    return []
  const found: Array<string> = []
  const report = (node: { readonly start: number }, what: string) => {
    found.push(`${position(source, node.start)}: no ${what} here`)
  }
  const asynchronous = (node: { readonly start: number; readonly async: boolean }) => {
    if (node.async) report(node, "async")
  }
  new Visitor({
    FunctionDeclaration: asynchronous,
    FunctionExpression: asynchronous,
    ArrowFunctionExpression: asynchronous,
    AwaitExpression: (node) => report(node, "await"),
    TryStatement: (node) => report(node, "try"),
    ThrowStatement: (node) => {
      const thrown = node.argument.type === "NewExpression" ? node.argument.callee : undefined
      const allowed = thrown?.type === "Identifier" && thrown.name === "RangeError"
      if (!allowed) report(node, "throw but of a RangeError")
    },
    NewExpression: (node) => {
      if (node.callee.type === "Identifier" && node.callee.name === "Date") report(node, "new Date")
    },
    CallExpression: (node) => {
      if (node.callee.type === "Identifier" && timers.includes(node.callee.name)) report(node, node.callee.name)
    },
    MemberExpression: (node) => {
      if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return
      const name = `${node.object.name}.${node.property.name}`
      if (clocks.includes(name) || name.startsWith("console.") || name.startsWith("globalThis.")) report(node, name)
    }
  }).visit(source.program)
  return found
}

const shownElsewhere = ["Error", "TypeError", "RangeError"]

/**
 * 8. Only `values/` turns values of users into text, or checks their class, because that runs code of a user, which may
 *    throw.
 */
export const text: Rule = (source) => {
  if (/^src\/(values|testing)\//.test(source.file)) return []
  const found: Array<string> = []
  new Visitor({
    CallExpression: (node) => {
      if (node.callee.type !== "Identifier" || node.callee.name !== "String") return
      found.push(`${position(source, node.start)}: describe(…) in values/ makes text, not String(…)`)
    },
    BinaryExpression: ({ operator, right, start }) => {
      if (operator !== "instanceof" || right.type !== "Identifier" || !shownElsewhere.includes(right.name)) return
      found.push(`${position(source, start)}: isInstance(…) in values/ does not throw, instanceof does`)
    }
  }).visit(source.program)
  return found
}

/**
 * 9. A class extends what Effect makes (`Data.TaggedError(…)`, `Context.Service(…)`, `Effectable.Class`), and no class
 *    of ours.
 */
export const inheritance: Rule = (source) => {
  if (!source.file.startsWith("src/")) return []
  const found: Array<string> = []
  const check = (node: { readonly id?: unknown; readonly superClass: unknown; readonly start: number }) => {
    const above = node.superClass as { readonly type: string } | null
    const name = (node.id as { readonly name: string } | null)?.name ?? "a class"
    if (above?.type !== "Identifier") return
    found.push(`${position(source, node.start)}: ${name} extends a class of ours. Hold it, or pass functions`)
  }
  new Visitor({ ClassDeclaration: check, ClassExpression: check }).visit(source.program)
  return found
}

/** 10. Public files have public names only. Names for the layers are in `shared/` or `internal/`. */
export const publicNames: Rule = (source) =>
  /^src\/[a-z]+\/[A-Z]\w*\.ts$/.test(source.file)
    ? Array.from(
        source.text.matchAll(/@internal\b/g),
        ({ index }) => `${position(source, index)}: a name for the layers belongs into shared/ or internal/`
      )
    : []

/** 7. The key of a service is written once. No other code makes a tag from its string. */
export const keys = (all: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const owners = new Map<string, string>()
  const found: Array<string> = []
  for (const source of all) {
    new Visitor({
      Literal: (node) => {
        if (typeof node.value !== "string" || !/^~?effect-otp\//.test(node.value)) return
        const owner = owners.get(node.value)
        if (owner !== undefined) found.push(`${position(source, node.start)}: ${node.value} is a key of ${owner}`)
        owners.set(node.value, position(source, node.start))
      }
    }).visit(source.program)
  }
  return found
}

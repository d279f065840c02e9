/**
 * A map that compares keys by Effect's `Equal`: data classes and plain objects with the same content are one key.
 * Strings, numbers and other plain values are kept in a `Map` of their own and are never hashed twice.
 */
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"

/** @internal */
export class KeyMap<K, A> {
  private readonly plain = new Map<K, A>()
  private hashed: MutableHashMap.MutableHashMap<K, A> | undefined = undefined

  get size(): number {
    return this.plain.size + (this.hashed === undefined ? 0 : MutableHashMap.size(this.hashed))
  }

  get(key: K): A | undefined {
    if (isPlain(key)) return this.plain.get(key)
    return this.hashed === undefined ? undefined : Option.getOrUndefined(MutableHashMap.get(this.hashed, key))
  }

  set(key: K, value: A): void {
    if (isPlain(key)) this.plain.set(key, value)
    else MutableHashMap.set((this.hashed ??= MutableHashMap.empty()), key, value)
  }

  delete(key: K): void {
    if (isPlain(key)) this.plain.delete(key)
    else if (this.hashed !== undefined) {
      MutableHashMap.remove(this.hashed, key)
      if (MutableHashMap.isEmpty(this.hashed)) this.hashed = undefined
    }
  }

  *keys(): IterableIterator<K> {
    yield* this.plain.keys()
    if (this.hashed !== undefined) yield* MutableHashMap.keys(this.hashed)
  }

  *values(): IterableIterator<A> {
    yield* this.plain.values()
    if (this.hashed !== undefined) yield* MutableHashMap.values(this.hashed)
  }
}

const isPlain = (key: unknown): boolean => typeof key !== "object" && typeof key !== "function"

/**
 * The partition of a key. The function is written down here, because other programs and stored data may know where a
 * key goes, and no function of the host promises the same result in every version.
 *
 * - A whole number, or a `bigint`: `|key| mod count`.
 * - Everything else: the 32-bit FNV-1a hash of its text in UTF-8, modulo `count`. The text of a number that is not
 *   whole is what `String` gives. A surrogate without its other half counts as U+FFFD.
 */

/** @internal */
export const partitionOf = (key: string | number | bigint, count: number): number => {
  if (typeof key === "bigint") return Number((key < 0n ? -key : key) % BigInt(count))
  if (typeof key === "number" && Number.isInteger(key)) return Math.abs(key) % count
  return fnv1a(`${key}`) % count
}

const OFFSET_BASIS = 0x811c9dc5
const PRIME = 0x01000193

/** @internal */
export const fnv1a = (text: string): number => {
  let hash = OFFSET_BASIS
  const eat = (byte: number): void => {
    hash = Math.imul(hash ^ byte, PRIME)
  }
  for (const character of text) eachByte(character.codePointAt(0)!, eat)
  return hash >>> 0
}

const isSurrogate = (point: number): boolean => point >= 0xd800 && point <= 0xdfff

/** The bytes of a code point in UTF-8. */
const eachByte = (given: number, f: (byte: number) => void): void => {
  const point = isSurrogate(given) ? 0xfffd : given
  if (point < 0x80) return f(point)
  if (point < 0x800) f(0xc0 | (point >> 6))
  else {
    if (point < 0x10000) f(0xe0 | (point >> 12))
    else {
      f(0xf0 | (point >> 18))
      f(0x80 | ((point >> 12) & 0x3f))
    }
    f(0x80 | ((point >> 6) & 0x3f))
  }
  f(0x80 | (point & 0x3f))
}

/** One figure from several rounds: the median, and the spread. */

/** The figures of all rounds, by key. */
export type Figures = ReadonlyMap<string, ReadonlyArray<number>>

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const spread = (values: ReadonlyArray<number>): readonly [min: number, max: number] => [
  Math.min(...values),
  Math.max(...values)
]

import { assert, describe, it } from "@effect/vitest"
import { read, root, tracked } from "./sources.ts"

/** The numbers in a text: `#157`, and each one of `#316 to #318`. */
const numbersIn = (text: string): ReadonlyArray<number> => [
  ...Array.from(text.matchAll(/#(\d+)\b/g), ([, number]) => Number(number)),
  ...Array.from(text.matchAll(/#(\d+) to #(\d+)/g), ([, from, to]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => Number(from) + index)
  ).flat()
]

/** The texts that begin with numbers: titles of tests, and comments beside a line that must not compile. */
const titlesIn = (text: string): string =>
  Array.from(
    text.matchAll(/(?:["`]|\/\/ |@ts-expect-error )((?:#\d+(?:,? (?:and |to )?)?)+)/g),
    ([, numbers]) => numbers!
  ).join("\n")

const lines = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  text.split("\n").filter((line) => pattern.test(line))

describe("cases of the suites of OTP and Elixir", () => {
  const listed = lines(read("test/semantics/cases.md"), /^- \*\*#/).map((line) => Number(/#(\d+)/.exec(line)![1]))
  const known = new Set(listed)
  const files = tracked(root).filter(
    (file) => /^(test|src\/testing)\/.*\.ts$/.test(file) && !file.startsWith("test/project/")
  )
  const inTitles = new Set(files.flatMap((file) => numbersIn(titlesIn(read(file)))))
  const excused = new Set(lines(read("docs/from-erlang.md"), /^\| .*#\d/).flatMap(numbersIn))

  it("are listed once each", () => {
    assert.deepStrictEqual(
      listed.filter((number, index) => listed.indexOf(number) !== index),
      []
    )
  })

  it("have a number that is listed wherever a title of a test names one", () => {
    assert.isAbove(inTitles.size, 150)
    assert.deepStrictEqual(
      [...inTitles].filter((number) => !known.has(number)),
      []
    )
  })

  it("have a test that carries their number, or a reason why they do not apply", () => {
    assert.deepStrictEqual(
      listed.filter((number) => !inTitles.has(number) && !excused.has(number)),
      []
    )
  })
})

/** The order of the test files: the slowest begin first, so that none of them runs alone in the end. */
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** The slowest files. They mostly wait for other processes, so the size of a file says nothing about it. */
const longest = [
  "test/examples/break-your-server.test.ts",
  "test/examples/edge.test.ts",
  "test/node/NodeApplication.test.ts"
]

const rank = ({ moduleId, project }: TestSpecification): number => {
  const at = longest.findIndex((file) => moduleId.endsWith(`/${file}`))
  // A process that is kept for many files is given up if a file comes that needs one of its own.
  return at >= 0 ? at : longest.length + (project.config.isolate ? 0 : 1)
}

export class LongestFirst extends BaseSequencer {
  /** Files of the same rank keep the order of vitest: by their last duration, else by size. */
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest's, not of an array
    const sorted = await super.sort(files)
    return sorted.toSorted((one, another) => rank(one) - rank(another))
  }
}

/** The order of the test files: those that take longest begin first, so that none of them runs alone in the end. */
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What takes longest, most of it by waiting for other processes. The size of a file says nothing about that. */
const longest = [
  "test/examples/break-your-server.test.ts",
  "test/examples/edge.test.ts",
  "test/node/NodeApplication.test.ts"
]

const rank = ({ moduleId, project }: TestSpecification): number => {
  const at = longest.findIndex((file) => moduleId.endsWith(`/${file}`))
  // A process that is kept for many files is given up if a file comes that has one of its own.
  return at >= 0 ? at : longest.length + (project.config.isolate ? 0 : 1)
}

export class LongestFirst extends BaseSequencer {
  /** Files of one rank keep the order of vitest: by how long they took last time, else by size. */
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest's, not of an array
    const sorted = await super.sort(files)
    return sorted.toSorted((one, another) => rank(one) - rank(another))
  }
}

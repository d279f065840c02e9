// Prints `N passed, N failed` from vitest's JSON reports in the folder given.
import * as fs from "node:fs"
import * as path from "node:path"

const folder = process.argv[2] ?? "."
const tests = new Map()

for (const name of fs.readdirSync(folder)) {
  for (const file of JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")).testResults) {
    const results = file.assertionResults.filter(({ status }) => status === "passed" || status === "failed")
    for (const { fullName, status } of results) {
      const key = `${file.name} ${fullName}`
      tests.set(key, status === "passed" && tests.get(key) !== false)
    }
    // A file or a suite that fails outside of its tests, as one that does not load.
    if (file.status === "failed" && results.every(({ status }) => status === "passed")) tests.set(file.name, false)
  }
}

const passed = [...tests.values()].filter(Boolean).length
console.log(`${passed} passed, ${tests.size - passed} failed`)

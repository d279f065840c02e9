import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import { LongestFirst } from "./longestFirst.ts"

// With `source` the public name `effect-otp` means the files in src/, so tests never need a build.
const conditions = ["source", "module", "node", "development|production"]
const deep = process.env["OTP_DEEP"] === "1"
const report = process.env["TEST_REPORT"]

// Some tests start Node again and again. With this cache Node does not compile the same code again.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("../../node_modules/.cache/node", import.meta.url))

/** Files that read or change what a whole process shares: its time, its memory, the state of modules. */
const alone = [
  "test/behaviour/busy.test.ts",
  "test/examples/*.test.ts",
  "test/node/*.test.ts",
  "test/project/*.test.ts",
  "test/supervision/DynamicSupervisor.scale.test.ts",
  "test/values/copies.test.ts"
]

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // Processes and not threads, so that signals, memory and `process` of one file do not affect others.
    pool: "forks",
    // All cores: by default one is left idle, and of two cores that is half.
    maxWorkers: "100%",
    testTimeout: deep ? 900_000 : 60_000,
    retry: 0,
    setupFiles: [fileURLToPath(new URL("invariants.ts", import.meta.url))],
    sequence: { sequencer: LongestFirst },
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: [
      // A process for each file.
      { extends: true, test: { name: "alone", include: alone, isolate: true } },
      // One process for many files, because to load Effect and this library takes longer than the tests of most files.
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...alone],
          isolate: false
        }
      }
    ]
  }
})

import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import { LongestFirst } from "./longestFirst.ts"

// `source` makes the public name `effect-otp` mean the files in src/: tests never need a build.
const conditions = ["source", "module", "node", "development|production"]
const deep = process.env["OTP_DEEP"] === "1"
const report = process.env["TEST_REPORT"]

// Some tests start Node again and again: what one has compiled the next need not compile again.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("../../node_modules/.cache/node", import.meta.url))

/** Files that look at, or change, what a whole process shares: its time, its memory, what modules know. */
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
    // Processes and not threads: what one file does to signals, memory or `process` stays away from the others.
    pool: "forks",
    // All cores: by default one is left idle, and of two that is half.
    maxWorkers: "100%",
    testTimeout: deep ? 900_000 : 60_000,
    retry: 0,
    sequence: { sequencer: LongestFirst },
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: [
      // A process for each file.
      { extends: true, test: { name: "alone", include: alone, isolate: true } },
      // A process for many files: to load Effect and this library takes longer than most files' tests.
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

import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// `source` makes the public name `effect-otp` mean the files in src/: tests never need a build.
const conditions = ["source", "module", "node", "development|production"]
const deep = process.env["OTP_DEEP"] === "1"
const report = process.env["TEST_REPORT"]

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    // Processes and not threads: what one file does to signals, memory or `process` stays away from the others.
    pool: "forks",
    // All cores: by default one is left idle, and of two that is half.
    maxWorkers: "100%",
    testTimeout: deep ? 900_000 : 60_000,
    retry: 0,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]]
  }
})

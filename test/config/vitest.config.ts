import { defineConfig } from "vitest/config"

// `source` makes the public name `effect-otp` mean the files in src/: tests never need a build.
const conditions = ["source", "module", "node", "development|production"]

export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    // A process each keeps `--expose-gc`-like flags, crashes and process-wide handlers of one file away from the others.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: process.env["OTP_DEEP"] === "1" ? 120_000 : 10_000,
    retry: 0
  }
})

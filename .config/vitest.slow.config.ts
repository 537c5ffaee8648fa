import { defineConfig } from "vitest/config";

/** The slower tiers: real engine, real OpenClaw, fresh clones, failure at every step. One file at a time. */
export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    globalSetup: "test/engine-first.ts",
    include: ["test/**/*.slow.test.ts", "test/e2e/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 900_000,
    // Real processes on a shared machine: in CI a test that fails once is tried once more, and shown as flaky.
    retry: process.env["CI"] === undefined ? 0 : 1,
    pool: "forks",
    maxWorkers: 1,
    fileParallelism: false,
  },
});

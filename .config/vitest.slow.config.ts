import { defineConfig } from "vitest/config";

/** The slower tiers: real engine, real OpenClaw, fresh clones, failure at every step. One file at a time. */
export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    include: ["test/**/*.slow.test.ts", "test/e2e/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 900_000,
    pool: "forks",
    maxWorkers: 1,
    fileParallelism: false,
  },
});

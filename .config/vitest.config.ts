import { defineConfig } from "vitest/config";

/** Tiers: `npm test` runs the first; `.ci/run` runs all. A tier is a folder or a suffix, never a skip. */
export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    globalSetup: "test/engine-first.ts",
    include: ["test/**/*.test.ts"],
    exclude: ["test/e2e/**", "test/bench/**", "**/*.slow.test.ts", "node_modules/**"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Real processes on a shared machine: in CI a test that fails once is tried once more, and shown as flaky.
    retry: process.env["CI"] === undefined ? 0 : 1,
    pool: "forks",
    maxWorkers: 2,
  },
});

import { defineConfig } from "vitest/config";

/** What of the conformance suite needs a wire: `npm run conformance` runs it beside the rest, which needs nothing. */
export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    include: ["test/conformance/http-framing.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 1,
  },
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { works, writeObjects } from "../bench/synth/work.ts";

/** The pieces of `npm run bench:synth`, with two sandboxes: each holds what it made to what Nacre makes. */
const folder = mkdtempSync(join(tmpdir(), "nacre-bench-test-"));
const file = join(folder, "objects.json");
beforeAll(() => writeObjects(2, file));
afterAll(() => rmSync(folder, { recursive: true }));

test.for(["constructs", "blueprint", "cdk8s", "yaml", "plain yaml"] as const)(
  "%s makes every object of two sandboxes",
  async (work) => {
    const { objects, milliseconds, heap, resident } = await works[work](2, file);
    expect(objects).toBe((JSON.parse(readFileSync(file, "utf8")) as unknown[]).length);
    expect(Math.min(milliseconds, heap, resident)).toBeGreaterThan(0);
  },
);

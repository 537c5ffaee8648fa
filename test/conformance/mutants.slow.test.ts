import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";

interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const root = join(import.meta.dirname, "../..");
const mutants = parse(readFileSync(join(import.meta.dirname, "mutants.yaml"), "utf8")) as readonly Mutant[];
const copy = mkdtempSync(join(tmpdir(), "nacre-mutants-"));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const lib = join(copy, "lib");
mkdirSync(lib);
for (const part of ["policy", "blueprint", "error.ts"])
  cpSync(join(root, "lib", part), join(lib, part), { recursive: true });
symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
writeFileSync(join(copy, "package.json"), '{ "type": "module" }');

/** The runner of `npm run conformance`, over the copy. */
function run(): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "run.ts"), lib], {
    encoding: "utf8",
  });
  return { status, out: stdout + stderr };
}

test("the copy without a mistake passes", () => {
  expect(run()).toMatchObject({ status: 0 });
});

test("there are twenty mistakes at the least", () => {
  expect(mutants.length).toBeGreaterThanOrEqual(20);
});

test.each(mutants)("caught: $name", ({ file, from, to }) => {
  const path = join(lib, file);
  const good = readFileSync(path, "utf8");
  expect(good.split(from)).toHaveLength(2);
  writeFileSync(
    path,
    good.replace(from, () => to),
  );
  try {
    const { status, out } = run();
    // Cases that fail, and not a library that no longer starts.
    expect(out).toMatch(/[0-9]+ of [0-9]+ cases hold/);
    expect(status).toBe(1);
  } finally {
    writeFileSync(path, good);
  }
});

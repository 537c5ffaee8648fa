import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("the small sizes of the bench are carried out, the engine's previews too", { timeout: 600_000 }, () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["test/bench/synth/main.ts", "--quick", "--json"],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("bench synthesis …\nbench preview …\n");
  expect(status).toBe(0);
  const { rows, failures } = JSON.parse(stdout) as { rows: { ratio: number }[]; failures: unknown[] };
  expect(failures).toEqual([]);
  expect(rows.length).toBe(12);
  for (const { ratio } of rows) expect(ratio).toBeGreaterThan(0);
});

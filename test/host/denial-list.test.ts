import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allowableIn, denialsIn } from "../../lib/host/denial-list.ts";
import { temporaryFolder } from "./folder.ts";

const id = "843e99dc";
const denied = (host: string, time: string): string =>
  JSON.stringify({
    ...{ time, kind: "connect", verdict: "deny", id, host, port: 443, layer: "network", reason: "no rule" },
    ...{ fix: { text: "allow it", allow: { host, port: 443 } }, policy: "0", revision: 0, prev: "0" },
  });

/** An audit with these lines. */
function auditOf(...lines: string[]): string {
  const audit = join(temporaryFolder(), "audit.jsonl");
  writeFileSync(audit, lines.map((line) => `${line}\n`).join(""));
  return audit;
}

test("a denial of which a person saw the id cannot become another one", () => {
  const shown = denied("good.example.com", "2026-01-01T00:00:00.000Z");
  const swapped = denied("evil.example.com", "2026-01-01T00:00:01.000Z");
  expect(allowableIn(auditOf(shown, shown), "dev/a", id)).toEqual({ host: "good.example.com", port: 443 });
  const audit = auditOf(shown, swapped);
  expect(() => allowableIn(audit, "dev/a", id)).toThrow(
    expect.objectContaining({
      code: "denial_ambiguous",
      message: expect.stringContaining("good.example.com:443 and evil.example.com:443") as string,
    }),
  );
  // Also where only the later one is asked for.
  const sandbox = { id: "dev/a", audit, operator: { file: "host.yaml", grants: [] } };
  const since = Date.parse("2026-01-01T00:00:01.000Z");
  expect(denialsIn(sandbox, since)).toMatchObject([{ host: "evil.example.com", allow: null }]);
  expect(denialsIn(sandbox)).toHaveLength(2);
});

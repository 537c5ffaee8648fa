import { expect, test, vi } from "vitest";
import { tellRefusals } from "../../lib/cli/run-refusals.ts";
import type { Denial } from "../../lib/host/api.ts";

const denial = (parts: Partial<Denial>): Denial => ({
  id: "843e99dc",
  at: 0,
  host: "a.example",
  port: 443,
  binary: null,
  rule: "npm",
  layer: "http",
  reason: "rule npm allows GET, HEAD here, not POST",
  fix: "nacre allow run/run 843e99dc",
  allow: { host: "a.example", port: 443, method: "POST", path: "/audits" },
  ...parts,
});

function told(denials: readonly Denial[]): string {
  let written = "";
  const spy = vi
    .spyOn(process.stderr, "write")
    .mockImplementation((text) => (written += String(text)) !== "");
  tellRefusals(denials);
  spy.mockRestore();
  return written;
}

test("what was refused is told with its request, once for one reason, and with a fix that there is here", () => {
  const guarded = denial({ allow: null, layer: "address", reason: "a private address", fix: "grant it" });
  expect(told([denial({}), denial({ id: "00000001" }), guarded, { ...guarded, id: "00000002" }])).toBe(
    "refused: POST /audits of a.example:443: rule npm allows GET, HEAD here, not POST (http)\n" +
      "  fix: add --preset NAME, if one allows that (nacre reference presets)\n" +
      "refused: a.example:443: a private address (address)\n  fix: grant it\n",
  );
  expect(told([])).toBe("");
});

test("a command that tries a hundred hosts does not bury its own output, and nothing acts on the terminal", () => {
  const many = Array.from({ length: 100 }, (_, index) =>
    denial({ host: `${index}.example`, reason: "\u001b[2J" }),
  );
  expect(told(many).match(/refused/g)).toHaveLength(11);
  expect(told(many)).toContain("refused: 90 more\n");
  expect(told(many)).not.toContain("\u001b");
});

import { describe, expect, test } from "vitest";
import { rebased, ruleChanges, unlessSame, type LiveNetwork } from "../../lib/host/live-network.ts";
import type { NetworkPolicies } from "../../lib/policy/language.ts";

const rule = (host: string) => ({ endpoints: [{ host, port: 443 }] });
const of = (rules: Readonly<Record<string, string>>): NetworkPolicies =>
  Object.fromEntries(Object.entries(rules).map(([id, host]) => [id, rule(`${host}.example.com`)]));
const live = (rules: Readonly<Record<string, string>>, conflicts: string[] = []): LiveNetwork => ({
  network: of(rules),
  by: "set",
  at: 1,
  conflicts,
});

describe("a blueprint's change under a policy that was set", () => {
  test.each([
    [
      "takes what only the blueprint changed",
      { a: "1" },
      { a: "1", b: "2" },
      { a: "3" },
      { a: "3", b: "2" },
      [],
    ],
    [
      "keeps what only the command changed",
      { a: "1", b: "2" },
      { a: "5", b: "2" },
      { a: "1", b: "2" },
      { a: "5", b: "2" },
      [],
    ],
    [
      "takes what only the blueprint removed",
      { a: "1", b: "2" },
      { a: "5", b: "2" },
      { a: "1" },
      { a: "5" },
      [],
    ],
    [
      "takes what only the blueprint removed, whatever it is called",
      { a: "1", constructor: "2" },
      { a: "5", constructor: "2" },
      { a: "1" },
      { a: "5" },
      [],
    ],
    [
      "keeps away what only the command removed",
      { a: "1", b: "2" },
      { b: "2" },
      { a: "1", b: "3" },
      { b: "3" },
      [],
    ],
    ["takes what both made the same", { a: "1" }, { a: "2" }, { a: "2" }, { a: "2" }, []],
    [
      "keeps the command's where both changed it, and names it",
      { a: "1" },
      { a: "2" },
      { a: "3" },
      { a: "2" },
      ["a"],
    ],
    [
      "keeps a removal by command, and names it",
      { a: "1", b: "2" },
      { b: "2" },
      { a: "3", b: "2" },
      { b: "2" },
      ["a"],
    ],
    [
      "keeps a rule that the blueprint removed and the command changed",
      { a: "1" },
      { a: "2" },
      {},
      { a: "2" },
      ["a"],
    ],
    ["keeps the command's where both added it", {}, { a: "1" }, { a: "2" }, { a: "1" }, ["a"]],
  ] as const)("%s", (_, before, command, blueprint, network, conflicts) => {
    expect(rebased(live(command), of(before), of(blueprint))).toEqual(live(network, [...conflicts]));
  });

  test("goes on naming a conflict until the two agree", () => {
    const first = rebased(live({ a: "2" }), of({ a: "1" }), of({ a: "3" }));
    const later = rebased(first, of({ a: "3" }), of({ a: "3", b: "1" }));
    expect(later).toEqual(live({ a: "2", b: "1" }, ["a"]));
    expect(rebased(later, of({ a: "3", b: "1" }), of({ a: "2", b: "1" })).conflicts).toEqual([]);
  });

  test("leaves nothing live where it comes to what the blueprint says", () => {
    const after = of({ a: "2" });
    expect(unlessSame(rebased(live({ a: "2" }), of({ a: "1" }), after), after)).toBeNull();
  });
});

test("rules are compared by what they say, not by how they are written", () => {
  const from = of({ kept: "1", changed: "1", removed: "1" });
  const kept = { endpoints: [{ port: 443, host: "1.example.com" }] };
  expect(ruleChanges(from, { ...of({ changed: "2", added: "1" }), kept })).toEqual({
    added: ["added"],
    removed: ["removed"],
    changed: ["changed"],
  });
});

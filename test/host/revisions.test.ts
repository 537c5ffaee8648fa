import { expect, test } from "vitest";
import {
  failedRevision,
  loadedRevision,
  mostRevisions,
  nextVersion,
  otherBefore,
  withRevision,
  type Revision,
} from "../../lib/host/revisions.ts";

const revision = (version: number, parts: Partial<Revision> = {}): Revision => ({
  version,
  hash: "h",
  base: `sha256:${String(version).padStart(64, "0")}`,
  size: 10,
  at: 1,
  by: "set",
  what: "",
  state: "Pending",
  error: null,
  ...parts,
});
const grown = (count: number, parts: Partial<Revision>): Revision[] =>
  Array.from({ length: count }, (_, version) => revision(version, parts)).reduce<Revision[]>(
    (all, one) => withRevision(all, one),
    [],
  );

test("the last hundred are kept", () => {
  const all = grown(250, {});
  expect(all.map(({ version }) => version)).toEqual(Array.from({ length: 100 }, (_, index) => 150 + index));
});

test("fewer where their contents are large, and one content counts once", () => {
  const size = mostRevisions.bytes / 4;
  expect(grown(50, { size })).toHaveLength(4);
  expect(grown(50, { size: mostRevisions.bytes })).toHaveLength(2);
  expect(grown(50, { size, base: `sha256:${"a".repeat(64)}` })).toHaveLength(50);
});

test("a refused version is not given again", () => {
  expect(nextVersion([revision(4), revision(7, { state: "Failed" })], 4)).toBe(8);
  expect(nextVersion([], 3)).toBe(4);
});

test("what the egress loads settles what it was made of; what it refuses stays refused", () => {
  const all = [revision(1, { state: "Failed" }), revision(2), revision(3), revision(4)];
  expect(loadedRevision(all, { version: 3, hash: "real" }).map(({ state, hash }) => [state, hash])).toEqual([
    ["Failed", "h"],
    ["Loaded", "h"],
    ["Loaded", "real"],
    ["Pending", "h"],
  ]);
  const error = { code: "policy_invalid", subject: "rule a", message: "why", hint: undefined };
  expect(failedRevision(all, 4, error).at(-1)).toMatchObject({
    state: "Failed",
    error: { code: "policy_invalid", message: "why" },
  });
});

test("a rollback without a number goes to the last other base that was in force", () => {
  const [a, b] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];
  const all = [
    revision(1, { base: a, state: "Loaded" }),
    revision(2, { base: b, state: "Loaded" }),
    revision(3, { base: `sha256:${"c".repeat(64)}`, state: "Failed" }),
    revision(4, { base: b, by: "allow", state: "Loaded" }),
  ];
  expect(otherBefore(all, b)?.version).toBe(1);
  expect(otherBefore(all, a)?.version).toBe(4);
  expect(otherBefore(all.slice(0, 1), a)).toBeUndefined();
});

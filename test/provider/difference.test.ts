import fc from "fast-check";
import { expect, test } from "vitest";
import { differences } from "../../lib/provider/difference.ts";

test("paths are Pulumi's own", () => {
  const olds = { list: [1, { a: 1 }], tree: { "with.dot": 1, plain: 1 }, gone: true };
  const news = { list: [1, { a: 2 }, 3], tree: { "with.dot": 2, plain: 1 }, fresh: null };
  expect(differences(olds, news)).toEqual([
    { path: "list[1].a", root: "list", kind: "update" },
    { path: "list[2]", root: "list", kind: "add" },
    { path: 'tree["with.dot"]', root: "tree", kind: "update" },
    { path: "gone", root: "gone", kind: "delete" },
    { path: "fresh", root: "fresh", kind: "add" },
  ]);
});

test("equal trees have none, and any two that differ have one", () => {
  const tree = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(tree, tree, (olds, news) => {
      expect(differences(olds, structuredClone(olds))).toEqual([]);
      const same = JSON.stringify(sorted(olds)) === JSON.stringify(sorted(news));
      expect(differences(olds, news).length === 0).toBe(same);
    }),
  );
});

/** Keys in order, at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}

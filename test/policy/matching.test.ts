import fc from "fast-check";
import { expect, test } from "vitest";
import { glob } from "../../lib/policy/glob.ts";
import { parseHostPattern } from "../../lib/policy/host-pattern.ts";
import { HostTrie } from "../../lib/policy/host-trie.ts";

/** Slow and obvious: the definition of a host pattern, label by label. */
function hostMatches(pattern: string, host: string): boolean {
  const labels = host.split(".");
  const [first = "", ...rest] = pattern.split(".");
  if (!first.includes("*")) return pattern === host;
  const tail = labels.slice(-rest.length).join(".");
  const extra = labels.length - rest.length;
  if (tail !== rest.join(".")) return false;
  return first === "**" ? extra >= 1 : extra === 1 && globMatches(first, labels[0] ?? "", ".");
}

/** Slow and obvious: a glob is its first character and the rest. */
function globMatches(pattern: string, text: string, separator: string): boolean {
  if (pattern === "") return text === "";
  const deep = pattern.startsWith("**");
  if (pattern.startsWith("*")) {
    if (globMatches(pattern.slice(deep ? 2 : 1), text, separator)) return true;
    return text !== "" && (deep || text[0] !== separator) && globMatches(pattern, text.slice(1), separator);
  }
  return text !== "" && pattern[0] === text[0] && globMatches(pattern.slice(1), text.slice(1), separator);
}

const label = fc.constantFrom("a", "b", "ab", "a-b", "c");
const labels = (least: number, most: number): fc.Arbitrary<string> =>
  fc.array(label, { minLength: least, maxLength: most }).map((all) => all.join("."));
/** Few suffixes, so that patterns meet; some of any shape. */
const suffix = fc.oneof(fc.constantFrom("a.b", "b.c", "a.b.c"), labels(2, 3));
const host = fc.oneof(
  labels(1, 5),
  fc.tuple(labels(1, 2), suffix).map((both) => both.join(".")),
);
const first = fc.constantFrom("a", "ab", "*", "**", "*b", "a*", "a*b", "*-b");
const pattern = fc.tuple(first, suffix).map((both) => both.join("."));

test("the trie finds exactly the patterns that match by their definition, the most specific first", () => {
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 30 }), host, (patterns, name) => {
      const trie = new HostTrie<string>();
      for (const written of patterns) {
        const parsed = parseHostPattern(written);
        if ("reason" in parsed) throw new Error(parsed.reason);
        trie.at(parsed, () => written);
      }
      const found = trie.matching(name);
      expect([...found].sort()).toEqual(patterns.filter((written) => hostMatches(written, name)).sort());
      const width = found.map((written) => {
        if (!written.includes("*")) return 0;
        return (written.startsWith("**") ? 1000 : 500) - written.length;
      });
      expect(width).toEqual([...width].sort((a, b) => a - b));
    }),
    { numRuns: 3000 },
  );
});

test("a glob matches as its definition says", () => {
  const piece = fc.constantFrom("a", "b", "/", "*", "**");
  const written = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(""));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 });
  fc.assert(
    fc.property(
      written.filter((one) => !one.includes("***")),
      text,
      (one, path) => {
        expect(glob(one, "/")(path)).toBe(globMatches(one, path, "/"));
      },
    ),
    { numRuns: 5000 },
  );
});

test("a glob with many stars stays linear", () => {
  const matches = glob("/*a*a*a*a*a*a*a*a*a*a*a*b", "/");
  const started = performance.now();
  expect(matches(`/${"a".repeat(4000)}`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
});

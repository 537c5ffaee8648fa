import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalPath } from "../../lib/policy/canonical-path.ts";

const refused = Symbol("refused");

/** Slow and obvious: one character after the other, then one segment after the other. */
function canonicalOf(raw: string, encodedSlash: boolean): string | typeof refused {
  if (raw.length > 4096 || raw[0] !== "/") return refused;
  const segments: string[][] = [[]];
  let skipping = false;
  for (let at = 1; at < raw.length; at++) {
    const character = raw[at] ?? "";
    const code = character.charCodeAt(0);
    if (code <= 0x20 || code >= 0x7f || "?#\\".includes(character)) return refused;
    let unit = character;
    if (character === "%") {
      const digits = raw.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return refused;
      at += 2;
      const byte = Number.parseInt(digits, 16);
      if (byte < 0x20 || byte === 0x7f || byte === 0x5c) return refused;
      if (byte === 0x2f && !encodedSlash) return refused;
      unit = standsForItself(byte) ? String.fromCharCode(byte) : escape(byte);
    } else if (character === "/") {
      segments.push([]);
      skipping = false;
      continue;
    } else if (character === ";") {
      skipping = true;
    } else if (!standsForItself(code)) unit = escape(code);
    if (!skipping) segments.at(-1)?.push(unit);
  }
  const stack: string[] = [];
  for (const units of segments) {
    const segment = units.join("");
    if (segment === "..") {
      if (stack.length === 0) return refused;
      stack.pop();
    } else if (segment !== "" && segment !== ".") {
      const names = segment.split("%2F");
      if (names.length > 1 && names.some((name) => ["", ".", ".."].includes(name))) return refused;
      stack.push(segment);
    }
  }
  const last = segments.at(-1)?.join("") ?? "";
  const open = ["", ".", ".."].includes(last) && stack.length > 0;
  const path = `/${stack.join("/")}${open ? "/" : ""}`;
  return path.length > 4096 ? refused : path;
}

const standsForItself = (code: number): boolean =>
  /^[A-Za-z0-9]$/.test(String.fromCharCode(code)) || "-._~!$&'()*+,=:@".includes(String.fromCharCode(code));

const escape = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("/", "a", "b", ".", "..", "/..", "/.", "//", "%2e", "%2E", "a/b") },
  {
    weight: 3,
    arbitrary: fc.constantFrom("%2F", "%2f", ";", ";x=1", "%3B", "%3b", "%25", "%41", "%c3%a9", "*", "{"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("?", "#", "\\", "%5c", "%00", "%7f", "%", "%4", " ", "é", "[", '"', "%zz"),
  },
  { weight: 1, arbitrary: fc.nat(255).map((byte) => escape(byte)) },
  { weight: 1, arbitrary: fc.nat(127).map((code) => String.fromCharCode(code)) },
);
const raw = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join("")}`);

const found = (path: string, encodedSlash: boolean): string | typeof refused => {
  const canonical = canonicalPath(path, { encodedSlash });
  return "path" in canonical ? canonical.path : refused;
};

test("a path is made canonical as its definition says", () => {
  fc.assert(
    fc.property(fc.oneof(raw, fc.string({ maxLength: 20 })), fc.boolean(), (path, encodedSlash) => {
      expect(found(path, encodedSlash)).toBe(canonicalOf(path, encodedSlash));
    }),
    { numRuns: 20_000 },
  );
});

test("what is canonical stays as it is, and has no other reading left in it", () => {
  fc.assert(
    fc.property(raw, fc.boolean(), (path, encodedSlash) => {
      const canonical = found(path, encodedSlash);
      if (canonical === refused) return;
      expect(found(canonical, encodedSlash)).toBe(canonical);
      expect(canonical).not.toMatch(/\/\/|[;?#\\]|\/\.{1,2}(\/|$)|%(?![0-9A-F]{2})/);
      // The URL standard's own parser, as the second opinion: nothing in it is resolved any further.
      expect(new URL(`http://a.example${canonical}`).pathname).toBe(canonical);
    }),
    { numRuns: 10_000 },
  );
});

test("raw characters that become escapes do not make a path longer than may be", () => {
  expect(found(`/${'"'.repeat(1365)}`, false)).toHaveLength(4096);
  expect(found(`/${'"'.repeat(1366)}`, false)).toBe(refused);
});

test("a long path of one segment is read in milliseconds", () => {
  const begun = performance.now();
  for (const unit of ["a", "%41", "/", "/.", ";", "%2F", "/a/.."]) found(`/${unit.repeat(1300)}`, true);
  expect(performance.now() - begun).toBeLessThan(200);
});

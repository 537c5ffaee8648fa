import { expect, test } from "vitest";
import { escapeControls } from "../../lib/host/escape.ts";

test("every character that acts on a terminal, breaks a line or turns text is written out; others stay", () => {
  const ranges = [
    [0x00, 0x1f],
    [0x7f, 0x9f],
    [0x061c, 0x061c],
    [0x200b, 0x200f],
    [0x2028, 0x202e],
    [0x2060, 0x2069],
    [0xfeff, 0xfeff],
  ] as const;
  for (const [from, to] of ranges)
    for (let code = from; code <= to; code++)
      expect(escapeControls(`a${String.fromCodePoint(code)}b`)).toBe(`a\\u{${code.toString(16)}}b`);
  for (const text of ["näcre", "日本", "a b-c_d/e.f", "👩‍🔬".replaceAll("\u200d", "")])
    expect(escapeControls(text)).toBe(text);
});

import { expect, test } from "vitest";
import { NacreError } from "../../lib/error.ts";
import { bytes, duration, explain, plain, table } from "../../lib/cli/output.ts";

test("text from an agent cannot act on the terminal", () => {
  expect(plain("a\u001b[2Jb\nc")).toBe("a\\x1b[2Jb\\x0ac");
  expect(plain("user\u202egnp.exe")).toBe("user\\u{202e}gnp.exe");
  expect(plain("plain text, ünïcode, 日本")).toBe("plain text, ünïcode, 日本");
});

test("an error names the thing, the reason and the fix, and forges no line", () => {
  const error = new NacreError({
    code: "x",
    subject: "sandbox a\u001b[31m",
    message: "no\u0007",
    hint: "do\nthat",
  });
  expect(explain(error)).toBe("error: sandbox a\\x1b[31m: no\\x07\n  fix: do\n  that");
});

test("tables line up and carry no trailing blanks", () => {
  expect(
    table(
      ["A", "LONG"],
      [
        ["aaa", "b"],
        ["c", ""],
      ],
    ),
  ).toBe("A    LONG\naaa  b\nc");
});

test("sizes and durations are short", () => {
  expect([bytes(0), bytes(1023), bytes(1536), bytes(2 ** 31)]).toEqual([
    "0 B",
    "1023 B",
    "1.5 KiB",
    "2.0 GiB",
  ]);
  expect([duration(0), duration(61_000), duration(90_000_000)]).toEqual(["0s", "1m 1s", "1d 1h"]);
});

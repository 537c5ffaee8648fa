import { expect, test } from "vitest";
import { blockOver, opened } from "../../lib/host/allows.ts";
import type { Operator } from "../../lib/host/operator.ts";

test("a block over an allowed host is named, with the command that ends it", () => {
  expect(blockOver("dev/a", "api.example.com", [])).toBeUndefined();
  expect(blockOver("dev/a", "api.example.com", [{ host: "other.example.com" }])).toBeUndefined();
  expect(blockOver("dev/a", "api.example.com", [{ host: "*.example.com" }])).toEqual({
    reason: "api.example.com is blocked by *.example.com",
    fix: "nacre unblock dev/a '*.example.com'",
  });
  expect(blockOver("dev/a", "api.example.com", [{ all: true }])).toEqual({
    reason: "all traffic is blocked",
    fix: "nacre unblock dev/a --all",
  });
});

test.each([
  ["localhost", "own loopback"],
  ["127.0.0.1", "own loopback"],
  ["inference.local", "no rule is asked"],
])("an allow of %s would open nothing, and is refused", (host, reason) => {
  const operator = { exists: true, file: "host.yaml", secrets: {}, grants: [], signers: [] };
  expect(() =>
    opened({ id: "dev/a", audit: "" }, { host, port: 443 }, operator as unknown as Operator),
  ).toThrow(expect.objectContaining({ code: "allow_unruled", message: expect.stringContaining(reason) }));
});

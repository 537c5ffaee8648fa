import { expect, test } from "vitest";
import { blockOver } from "../../lib/host/allows.ts";

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

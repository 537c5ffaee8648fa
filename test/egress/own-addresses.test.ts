import os from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { OwnAddresses } from "../../lib/egress/own-addresses.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("an address that comes up while the egress runs is the host's own within a second, in both families", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  vi.advanceTimersByTime(1000);
  const interfaces = vi.spyOn(os, "networkInterfaces");
  const up = (...addresses: string[]): void =>
    void interfaces.mockReturnValue({ up0: addresses.map((address) => ({ address })) } as never);
  const own = new OwnAddresses();
  const read = (): string[] => own.now().map(({ text }) => text);
  up("203.0.113.7");
  expect(read()).toEqual(["203.0.113.7"]);
  up("203.0.113.7", "203.0.113.8", "fe80::1%up0", "2a00::8");
  vi.advanceTimersByTime(1000);
  expect(read()).toEqual(["203.0.113.7", "203.0.113.8", "fe80::1", "2a00::8"]);
});

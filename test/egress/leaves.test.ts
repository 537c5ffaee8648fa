import { expect, test, vi } from "vitest";
import { makeAuthority } from "../../lib/egress/authority.ts";
import { Leaves } from "../../lib/egress/leaves.ts";
import { limits } from "../../lib/egress/limits.ts";

const day = 24 * 3600 * 1000;

test("each name has a leaf of its own, kept until a day before it expires", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const leaves = new Leaves(makeAuthority("leaves"));
    const first = leaves.contextFor("a.example.com");
    expect(leaves.contextFor("b.example.com")).not.toBe(first);
    expect(leaves.contextFor("a.example.com")).toBe(first);
    vi.setSystemTime(Date.now() + 88 * day);
    expect(leaves.contextFor("a.example.com")).toBe(first);
    vi.setSystemTime(Date.now() + 1.5 * day);
    expect(leaves.contextFor("a.example.com")).not.toBe(first);
  } finally {
    vi.useRealTimers();
  }
});

test("no more names are kept than there is room for, the least recently used go", () => {
  const leaves = new Leaves(makeAuthority("leaves"));
  const first = leaves.contextFor("a.example.com");
  const second = leaves.contextFor("b.example.com");
  for (let index = 0; index < limits.leaves - 1; index++) {
    leaves.contextFor(`${index}.example.org`);
    leaves.contextFor("a.example.com");
  }
  expect(leaves.count).toBe(limits.leaves);
  expect(leaves.contextFor("a.example.com")).toBe(first);
  expect(leaves.contextFor("b.example.com")).not.toBe(second);
});

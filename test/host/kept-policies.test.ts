import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KeptPolicies } from "../../lib/host/kept-policies.ts";
import type { NetworkPolicies } from "../../lib/policy/language.ts";
import { temporaryFolder } from "./folder.ts";

const of = (host: string): NetworkPolicies => ({ rule: { endpoints: [{ host, port: 443 }] } });

test("a policy is kept once, read back, and goes when no revision has it", async () => {
  const folder = join(temporaryFolder(), "policies");
  const kept = new KeptPolicies(folder);
  const [a, b] = [kept.contentOf(of("a.example.com")), kept.contentOf(of("b.example.com"))];
  for (const host of ["a.example.com", "a.example.com", "b.example.com"]) await kept.write(of(host));
  expect(readdirSync(folder)).toHaveLength(2);
  await kept.prune(new Set([b.base]));
  expect(await kept.read(a.base)).toBeUndefined();
  expect(await kept.read(b.base)).toEqual(of("b.example.com"));
});

test("a file that holds another policy than its name says is an error, not a policy", async () => {
  const folder = join(temporaryFolder(), "policies");
  const kept = new KeptPolicies(folder);
  const [a, b] = [of("a.example.com"), of("b.example.com")].map((policy) => kept.contentOf(policy).base);
  await kept.write(of("a.example.com"));
  const fileOf = (base = "") => join(folder, `${base.slice("sha256:".length)}.json`);
  renameSync(fileOf(a), fileOf(b));
  await expect(kept.read(b ?? "")).rejects.toMatchObject({ code: "state_corrupt", subject: fileOf(b) });
});

test("one that is too long is refused", () => {
  const many = Object.fromEntries(
    Array.from({ length: 70_000 }, (_, index) => [`rule-${index}`, of(`host-${index}.example.com`)["rule"]]),
  ) as NetworkPolicies;
  expect(() => new KeptPolicies("/none").contentOf(many)).toThrow(
    expect.objectContaining({ code: "policy_too_long" }),
  );
});

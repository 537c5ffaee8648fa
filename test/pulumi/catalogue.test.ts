import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadCatalogue } from "../../lib/pulumi/catalogue.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nacre-catalogue-"));
  cpSync("policies", join(root, "policies"), { recursive: true });
  mkdirSync(join(root, "policies/seccomp"), { recursive: true });
  writeFileSync(
    join(root, "policies/seccomp/agent.json"),
    '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [] }',
  );
  mkdirSync(join(root, "lib/host/kits/openclaw"), { recursive: true });
  const packages = { "": {}, "node_modules/openclaw": { version: "2026.9.6" } };
  writeFileSync(join(root, "lib/host/kits/openclaw/package-lock.json"), JSON.stringify({ packages }));
});
afterEach(() => rmSync(root, { recursive: true }));

const shipped = [
  "brave-search",
  "discord",
  "github-read",
  "github-write",
  "github",
  "huggingface",
  "npm",
  "pypi",
  "slack",
  "telegram",
];

test("holds the presets, the base policy, the profile and each kit with the digest of its lock", () => {
  const { presets, base, seccomp, kits } = loadCatalogue(root);
  expect(Object.keys(presets)).toEqual(shipped);
  expect(presets["npm"]?.reasons).toEqual({ "registry.npmjs.org:443": "metadata and tarballs" });
  expect(base.network_policies).toEqual({});
  expect(seccomp.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(kits).toEqual({
    openclaw: { version: "2026.9.6", lock: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
  });
});

test("what ships is whole", () => {
  const { presets, seccomp, kits } = loadCatalogue();
  expect(Object.keys(presets)).toEqual(shipped);
  expect(seccomp.defaultAction).not.toBe("SCMP_ACT_ALLOW");
  expect(Object.keys(kits)).toEqual(["openclaw"]);
});

test.for([
  [
    "an unknown field",
    "preset: { name: own, description: d, owner: me }\nnetwork_policies: {}\n",
    "preset.owner: unknown field",
  ],
  [
    "an endpoint without a reason",
    "preset: { name: own, description: d }\nnetwork_policies: { own: { endpoints: [{ host: x.example, port: 443 }] } }\n",
    "network_policies.own.endpoints[0].reason: is missing",
  ],
  [
    "another name than its file",
    "preset: { name: other, description: d }\nnetwork_policies: {}\n",
    "it calls itself other",
  ],
])("refuses a preset with %s", ([, text, message]) => {
  writeFileSync(join(root, "policies/presets/own.yaml"), text!);
  expect(() => loadCatalogue(root)).toThrow(message!);
});

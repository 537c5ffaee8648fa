import { readdirSync, readFileSync } from "node:fs";
import { readPolicy, readPreset, type Catalogue } from "../../lib/blueprint/index.ts";

/** The presets and the base policy that ship, with a kit and a seccomp profile that no release changes. */
export const catalogue: Catalogue = {
  presets: Object.fromEntries(
    readdirSync("policies/presets").map((name) => {
      const preset = readPreset(readFileSync(`policies/presets/${name}`, "utf8"), name);
      return [preset.name, preset];
    }),
  ),
  base: readPolicy(readFileSync("policies/base.yaml", "utf8"), "policies/base.yaml"),
  seccomp: {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [{ names: ["read", "write", "exit_group"], action: "SCMP_ACT_ALLOW" }],
  },
  kits: { openclaw: { version: "2026.9.6", lock: `sha256:${"0".repeat(64)}` } },
};

/** A reader of files that are only in the test. */
export const reading =
  (files: Readonly<Record<string, string>> = {}) =>
  (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error("no such file");
    return text;
  };

export const header =
  "apiVersion: nacre.dev/v1\nkind: Blueprint\nmetadata: { name: assistant, version: 1.0.0 }\n";

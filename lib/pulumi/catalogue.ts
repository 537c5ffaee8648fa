import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import {
  digestOfText,
  readPolicy,
  readPreset,
  seccompProfileSchema,
  type Catalogue,
  type KitEntry,
} from "../blueprint/index.ts";
import { NacreError } from "../error.ts";

/** What ships with this package: presets, the base policy, the default seccomp profile, the kits' locks. */
export function loadCatalogue(root: string = packageRoot()): Catalogue {
  const read = (path: string): string => {
    if (!existsSync(join(root, path)))
      throw broken(path, "it is missing from the package", "install nacre again");
    return readFileSync(join(root, path), "utf8");
  };
  const presets = readdirSync(join(root, "policies/presets"))
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => {
      const preset = readPreset(read(`policies/presets/${name}`), `policies/presets/${name}`);
      if (`${preset.name}.yaml` === name) return preset;
      throw broken(
        `policies/presets/${name}`,
        `it calls itself ${preset.name}`,
        "name preset and file alike",
      );
    });
  return {
    presets: Object.fromEntries(presets.map((preset) => [preset.name, preset])),
    base: readPolicy(read("policies/base.yaml"), "policies/base.yaml"),
    // Ours, and well-formed: the reader that finds lines for errors takes ten times as long.
    seccomp: seccompProfileSchema.parse(JSON.parse(read("policies/seccomp/agent.json"))),
    kits: Object.fromEntries(kitFolders(root).map((folder) => [basename(folder), kitIn(folder)])),
  };
}

/** The folder that holds `policies/`: two above this file in a checkout, further up from compiled code. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "policies/base.yaml"))) {
    const above = dirname(folder);
    if (above === folder)
      throw broken("the package", "its folder policies is missing", "install nacre again");
    folder = above;
  }
  return folder;
}

/** Kits are folders with a lock of their whole tree. */
function kitFolders(root: string): string[] {
  const kits = ["lib/host/kits", "dist/host/kits"]
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (kits === undefined) return [];
  return readdirSync(kits, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(kits, entry.name, "package-lock.json")))
    .map((entry) => join(kits, entry.name))
    .sort();
}

const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional() })),
});

/** The version of the kit's own package, as its lock has it. */
function kitIn(folder: string): KitEntry {
  const file = join(folder, "package-lock.json");
  const text = readFileSync(file, "utf8");
  const version = lockSchema.parse(JSON.parse(text)).packages[`node_modules/${basename(folder)}`]?.version;
  if (version === undefined)
    throw broken(file, "it locks no package of the kit's name", "write the lock again");
  return { version, lock: digestOfText(text) };
}

function broken(subject: string, message: string, hint: string): NacreError {
  return new NacreError({ code: "catalogue_invalid", subject, message, hint });
}

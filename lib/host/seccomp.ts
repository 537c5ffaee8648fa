import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { seccompProfileSchema, type SeccompProfile } from "../synth/host-objects.ts";
import { codeRoot } from "./build.ts";

/** A seccomp profile as it ships. */
export async function shippedSeccomp(name: "agent" | "egress"): Promise<SeccompProfile> {
  const path = join(dirname(codeRoot), "policies/seccomp", `${name}.json`);
  return seccompProfileSchema.parse(JSON.parse(await readFile(path, "utf8")));
}

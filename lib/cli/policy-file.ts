import { fstatSync, openSync, readSync, closeSync } from "node:fs";
import { filesOf, mergeRules, readPolicy, type PolicyDocument } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import type { BodyOf } from "../host/api.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { ownFiles } from "../synth/host.ts";

/** No policy that people write is larger. */
const largest = 1024 * 1024;

export interface PolicySources {
  /** `-`: the standard input. */
  readonly file: string | undefined;
  readonly presets: readonly string[];
}

/**
 * Reads and merges what a sandbox is to be told, strictly.
 * @throws NacreError `file_unreadable`, `invalid_file`, `usage_preset`, `rule_conflict`
 */
export function policyFrom({ file, presets }: PolicySources): Omit<BodyOf<"policy.set">, "id" | "wait"> {
  const policy: PolicyDocument =
    file === undefined ? { version: 1 } : readPolicy(textOf(file), file === "-" ? "standard input" : file);
  const catalogue = loadCatalogue();
  const chosen = presets.map((name) => {
    const found = Object.hasOwn(catalogue.presets, name) ? catalogue.presets[name] : undefined;
    if (found === undefined) throw unknownPreset(name, Object.keys(catalogue.presets));
    return found;
  });
  const { rules, conflicts } = mergeRules(policy.network_policies ?? {}, chosen);
  const [conflict] = conflicts;
  if (conflict !== undefined)
    throw new NacreError({
      code: "rule_conflict",
      subject: `preset ${conflict.preset}`,
      message: `it and ${conflict.other} both have a rule ${conflict.rule}, and they differ`,
      hint: `give the rule in ${conflict.other} another name`,
    });
  const { filesystem_policy: files, landlock } = policy;
  return {
    network: rules,
    ...(files === undefined ? {} : { files: ownFiles(filesOf(files)) }),
    filesRequired: landlock?.compatibility === "hard_requirement",
  };
}

function textOf(file: string): string {
  const fail = (message: string, hint: string): NacreError =>
    new NacreError({ code: "file_unreadable", subject: file, message, hint });
  let descriptor: number;
  try {
    descriptor = file === "-" ? 0 : openSync(file, "r");
  } catch {
    throw fail("cannot be opened", "check the path");
  }
  try {
    if (fstatSync(descriptor).isDirectory()) throw fail("is a folder", "name a policy file");
    const text = Buffer.alloc(largest + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < text.length; size += read)
      read = readSync(descriptor, text, size, text.length - size, null);
    if (size > largest) throw fail("is larger than 1 MiB", "name fewer hosts, or use patterns");
    return text.toString("utf8", 0, size);
  } finally {
    if (descriptor !== 0) closeSync(descriptor);
  }
}

const unknownPreset = (name: string, known: readonly string[]): NacreError =>
  new NacreError({
    code: "usage_preset",
    subject: `preset ${name}`,
    message: "there is none of that name",
    hint: `the presets are ${known.join(", ")}`,
  });

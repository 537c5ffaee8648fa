import {
  bindCredentials,
  filesOf,
  mergeRules,
  readPolicy,
  type PolicyDocument,
  type PresetDocument,
} from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import type { BodyOf } from "../host/api.ts";
import { ownFiles } from "../synth/host.ts";
import { namedPresets } from "./named-presets.ts";
import { textOf } from "./policy-text.ts";

type PresetCredentials = PresetDocument["credentials"];

export interface PolicySources {
  /** `-`: the standard input. */
  readonly file: string | undefined;
  readonly presets: readonly string[];
}

/**
 * Reads and merges what a sandbox is to be told, strictly.
 * @throws NacreError `file_unreadable`, `invalid_file`, `policy_static`, `usage_preset`, `rule_conflict`
 */
export async function policyFrom({
  file,
  presets,
}: PolicySources): Promise<Omit<BodyOf<"policy.set">, "id" | "wait">> {
  const shown = file === "-" ? "standard input" : file;
  const policy: PolicyDocument =
    file === undefined || shown === undefined ? { version: 1 } : readPolicy(await textOf(file), shown);
  refuseIdentity(policy);
  const chosen = namedPresets(presets);
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
  // As `up` would: what a preset says of its credentials. What the blueprint says, the daemon adds.
  const credentials = Object.assign({}, ...chosen.map((preset) => preset.credentials)) as PresetCredentials;
  return {
    network: bindCredentials(rules, credentials, "policy").network,
    ...(files === undefined ? {} : { files: ownFiles(filesOf(files)) }),
    filesRequired: landlock?.compatibility === "hard_requirement",
  };
}

/** A host maps one user, which is called sandbox inside. */
function refuseIdentity({ process: identity = {} }: PolicyDocument): void {
  if (Object.values(identity).every((name) => name === "sandbox")) return;
  throw new NacreError({
    code: "policy_static",
    subject: "policy, process",
    message: "differs from what runs, and needs another start",
    hint: "write run_as_user: sandbox, or leave that part out of the policy",
  });
}

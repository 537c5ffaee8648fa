import { canonicalJson } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { policyHash } from "../policy/hash.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import type { ParsedBodyOf } from "./api.ts";
import { boundAs } from "./bound-hosts.ts";
import { unexpired } from "./overrides.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { Handlers } from "./server.ts";
import type { policyMethods } from "./policy-api.ts";

/** What the methods of the base policy do. */
export function policyHandlers(sandboxes: Sandboxes): Pick<Handlers, keyof typeof policyMethods> {
  return {
    "policy.set": async (body) => {
      const { network, record } = sandboxes.get(body.id);
      refuseStatic(body, record.spec);
      // What was granted a moment ago counts for the egress too.
      await network.refresh();
      const bound = boundAs(record.spec, body.network, `sandbox ${body.id}`);
      const changed = await network.policy.set(bound, body.wait);
      await network.refresh();
      return changed;
    },
    "policy.rollback": async ({ id, to, wait }) => {
      const { network } = sandboxes.get(id);
      const changed = await network.policy.rollback(to, wait);
      await network.refresh();
      return changed;
    },
    "policy.get": async ({ id }) => {
      const { network, record } = sandboxes.get(id);
      const { revision, live, allows: all, blocks } = await network.policy.journal.overrides();
      const base = live?.network ?? record.spec.network;
      const allows = unexpired(all);
      return {
        revision,
        hash: policyHash({ base, allows, blocks }),
        loaded: network.state.loaded,
        network: base,
        live: live !== null,
        allows,
        blocks,
        files: record.spec.files,
        walls: record.spec.walls,
      };
    },
    "policy.revision": ({ id, version }) => sandboxes.get(id).network.policy.revision(version),
    "policy.history": async ({ id }) => {
      const { revision, revisions } = await sandboxes.get(id).network.policy.journal.overrides();
      return { wanted: revision, revisions };
    },
  };
}

/** The walls are built when the agent starts; what would be said and not done is refused. */
function refuseStatic({ id, files, filesRequired }: ParsedBodyOf<"policy.set">, spec: HostSandbox): void {
  const differing = [
    ...(files !== undefined && canonicalJson(files) !== canonicalJson(sorted(spec.files))
      ? ["filesystem_policy"]
      : []),
    ...(filesRequired && spec.walls.files !== "required" ? ["landlock"] : []),
  ];
  if (differing.length === 0) return;
  throw new NacreError({
    code: "policy_static",
    subject: `sandbox ${id}, ${differing.join(", ")}`,
    message: "differs from what runs, and needs another start",
    hint: "change the blueprint and run nacre up; or leave that part out of the policy",
  });
}

const sorted = ({ readOnly, readWrite }: HostSandbox["files"]): HostSandbox["files"] => ({
  readOnly: [...readOnly].sort(),
  readWrite: [...readWrite].sort(),
});

import { z } from "zod";
import { allowSchema, blockSchema } from "../egress/protocol.ts";
import { networkPoliciesSchema } from "../policy/language.ts";
import { sandboxSchema } from "../synth/host-objects.ts";
import { ruleChangesSchema } from "./live-network.ts";
import { revisionSchema } from "./revisions.ts";
import { sandboxIdSchema as id } from "./sandbox-id.ts";

/** The longest that somebody waits for a policy, in seconds. */
export const longestWait = 3600;

/** Seconds to wait until the egress has taken or refused it; without it, no longer than a push takes. */
const wait = z.number().min(0).max(longestWait).optional();

const changed = z.strictObject({
  revision: z.int(),
  hash: z.string(),
  /** `Pending`: recorded, and loaded when its egress is back. */
  state: z.enum(["Pending", "Loaded"]),
  changes: ruleChangesSchema,
  enforcedMs: z.number(),
});
export type PolicyChanged = z.infer<typeof changed>;

/** The methods that read and change a sandbox' base policy. */
export const policyMethods = {
  /**
   * The whole base policy from now on, under the allows and blocks. Refused where one cannot be enforced (the one before
   * stays), would have a secret that the operator's file does not give, or says of the walls what does not run.
   */
  "policy.set": {
    body: z.strictObject({
      id,
      network: networkPoliciesSchema,
      /** As lowered for a host: what the policy says of files, where it says something. */
      files: sandboxSchema.shape.files.optional(),
      /** It asks for the files wall. */
      filesRequired: z.boolean().default(false),
      /** Values of `env` secrets, by name. */
      values: z.record(z.string(), z.string()).optional(),
      wait,
    }),
    result: changed,
  },
  /** The base of an earlier revision, or the blueprint's (`up`); without `to`, of the last that had another. */
  "policy.rollback": {
    body: z.strictObject({ id, to: z.union([z.literal("up"), z.int().nonnegative()]).optional(), wait }),
    result: changed,
  },
  /** What is wanted now, and so in force where `loaded` has its revision. */
  "policy.get": {
    body: z.strictObject({ id }),
    result: z.strictObject({
      revision: z.int(),
      hash: z.string(),
      /** What the egress says that it enforces; null: none runs, and nothing can be reached. */
      loaded: z.strictObject({ revision: z.int(), hash: z.string() }).nullable(),
      network: networkPoliciesSchema,
      /** A command put it in place of the blueprint's. */
      live: z.boolean(),
      allows: z.array(allowSchema),
      blocks: z.array(blockSchema),
      /** What the walls are, beside the system's own tree: fixed until the agent starts again. */
      files: sandboxSchema.shape.files,
      walls: sandboxSchema.shape.walls,
    }),
  },
  /** The base of one revision. */
  "policy.revision": {
    body: z.strictObject({ id, version: z.int().nonnegative() }),
    result: z.strictObject({ revision: revisionSchema, network: networkPoliciesSchema }),
  },
  /** Oldest first. */
  "policy.history": {
    body: z.strictObject({ id }),
    result: z.strictObject({ wanted: z.int(), revisions: z.array(revisionSchema) }),
  },
} as const;

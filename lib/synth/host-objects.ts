import { z } from "zod";
import { canonicalJson } from "../blueprint/canonical.ts";
import { nameSchema } from "../blueprint/names.ts";
import { seccompProfileSchema } from "../blueprint/seccomp.ts";
import { credentialPositionSchema } from "../policy/credential-position.ts";
import { networkPoliciesSchema } from "../policy/language.ts";

export { nameSchema } from "../blueprint/names.ts";
export { seccompProfileSchema, type SeccompProfileDocument as SeccompProfile } from "../blueprint/seccomp.ts";

/**
 * The objects of the host target: what `synth/host.ts` lowers a construct tree to, what the provider's resources take
 * as inputs, and what the host daemon makes real. Nothing here names a secret's value or a machine's path.
 */

const requirement = z.enum(["required", "best_effort"]);

/** One inference provider: where prompts may be answered. `credential` is a name that the operator's file maps. */
export const inferenceProviderSchema = z.strictObject({
  kind: z.enum(["nvidia", "openai", "demo"]),
  model: z.string().min(1),
  endpoint: z.url().optional(),
  credential: nameSchema.optional(),
  trusted: z.boolean(),
});
export type InferenceProvider = z.infer<typeof inferenceProviderSchema>;

/** The agent's folder. It outlives the sandbox; kept by default when the environment is destroyed. */
export const workspaceSchema = z.strictObject({
  project: z.string().min(1),
  environment: nameSchema,
  name: nameSchema,
});
export type HostWorkspace = z.infer<typeof workspaceSchema>;

export const sandboxSchema = z.strictObject({
  project: z.string().min(1),
  environment: nameSchema,
  name: nameSchema,
  /** The workspace's id, `environment/name`. */
  workspace: z.string().min(1),
  agent: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("kit"), kit: z.enum(["openclaw"]), version: z.string().min(1) }),
    z.strictObject({
      kind: z.literal("command"),
      command: z.array(z.string()).min(1),
      env: z.record(z.string(), z.string()),
    }),
  ]),
  /** Which walls must hold. `best_effort` is a warning in every status. */
  walls: z.strictObject({ files: requirement, syscalls: requirement }),
  /** Absolute paths inside the sandbox, besides the system's own read-only tree. */
  files: z.strictObject({ readOnly: z.array(z.string()), readWrite: z.array(z.string()) }),
  seccomp: seccompProfileSchema,
  /** Everything else is refused before a name is looked up. */
  network: networkPoliciesSchema,
  /** What `https://inference.local/v1` is answered by: the provider's names in order of trial. */
  inference: z
    .strictObject({
      route: z.strictObject({ try: z.array(z.string()).min(1), timeoutSeconds: z.number().positive() }),
      providers: z.record(z.string(), inferenceProviderSchema),
    })
    .nullable(),
  /** Secrets that the egress puts on at the wire, by name: the variable that holds the placeholder, and where it goes. */
  credentials: z.record(
    nameSchema,
    z.strictObject({
      as: z.string().min(1).optional(),
      /** Empty in what was recorded before there was one: a live policy is then bound by the next `up`. */
      for: z.array(z.string()).default([]),
      in: credentialPositionSchema.optional(),
    }),
  ),
  /** Absent means unlimited. `cpu` in cores, `memoryBytes` in bytes, `pids` in processes. */
  resources: z.strictObject({
    cpu: z.number().positive().optional(),
    memoryBytes: z.int().positive().optional(),
    pids: z.int().positive().optional(),
  }),
  /** Ports published on the host's loopback; `outside: 0` takes a free one, which is then kept. */
  ports: z.array(z.strictObject({ inside: z.int().min(1).max(65535), outside: z.int().min(0).max(65535) })),
  restart: z.enum(["always", "on-failure", "never"]),
  digests: z.strictObject({ blueprint: z.string(), environment: z.string() }),
});
export type HostSandbox = z.infer<typeof sandboxSchema>;

/** What reaches a running sandbox; a change of anything else stops its agent and starts it anew. */
export const liveInputs = ["network", "digests"] as const satisfies readonly (keyof HostSandbox)[];

/** `environment/name`: deterministic, so that a create which was interrupted is found again. */
/** A profile as a resource of Pulumi's has it: text in one canonical form. */
export const seccompText = (profile: HostSandbox["seccomp"]): string => canonicalJson(profile);

export const idOf = (of: { readonly environment: string; readonly name: string }): string =>
  `${of.environment}/${of.name}`;

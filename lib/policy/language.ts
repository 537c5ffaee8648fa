import { z } from "zod";

/** A path of an executable, or a glob of it (`*` stops at `/`). */
export const binarySchema = z.strictObject({ path: z.string().min(1) });

export const endpointSchema = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(1).max(65535).optional(),
  ports: z.array(z.int().min(1).max(65535)).min(1).optional(),
  protocol: z.enum(["", "tcp"]).optional(),
  tls: z.enum(["", "skip"]).optional(),
  enforcement: z.enum(["enforce", "audit"]).optional(),
});
export type Endpoint = z.infer<typeof endpointSchema>;

export const networkRuleSchema = z.strictObject({
  name: z.string().optional(),
  endpoints: z.array(endpointSchema),
  binaries: z.array(binarySchema).optional(),
});
export type NetworkRule = z.infer<typeof networkRuleSchema>;

/** OpenShell's `network_policies`: rule id to rule. */
export const networkPoliciesSchema = z.record(z.string(), networkRuleSchema);
export type NetworkPolicies = z.infer<typeof networkPoliciesSchema>;

import { z } from "zod";
import { type Endpoint, endpointPorts, endpointSchema, networkRuleSchema } from "../policy/language.ts";
import type { PresetDocument } from "./blueprint.ts";
import { readText } from "./described.ts";
import { nameSchema } from "./names.ts";
import { policyDocumentSchema, type PolicyDocument } from "./policy-document.ts";
import { ruleFindings } from "./rules.ts";
import { seccompFindings, seccompProfileSchema, type SeccompProfileDocument } from "./seccomp.ts";

/** A preset's file: a name, and rules whose every endpoint says why it is there. */
export const presetSchema = z.strictObject({
  preset: z.strictObject({
    name: nameSchema.describe("The name that blueprints use; also the file's."),
    description: z.string().min(1, "a sentence").describe("What an agent gains."),
  }),
  network_policies: z.record(
    nameSchema,
    networkRuleSchema.extend({
      endpoints: z.array(
        endpointSchema.extend({
          reason: z.string().min(1, "a sentence").describe("Why this host is needed."),
        }),
      ),
    }),
  ),
});

/** Reads a preset's file. Throws one `NacreError` with every problem. */
export function readPreset(text: string, file: string): PresetDocument {
  const { preset, network_policies } = readText(presetSchema, text, file, (read) =>
    ruleFindings({ version: 1, network_policies: read.network_policies }, []),
  );
  const reasons = new Map<string, string>();
  const network = Object.fromEntries(
    Object.entries(network_policies).map(([id, rule]) => {
      const endpoints = rule.endpoints.map(({ reason, ...endpoint }) => {
        for (const place of placeNames(endpoint)) {
          const known = reasons.get(place);
          reasons.set(place, known === undefined || known === reason ? reason : `${known}; ${reason}`);
        }
        return endpoint;
      });
      return [id, { ...rule, endpoints }];
    }),
  );
  return { ...preset, network, reasons: Object.fromEntries(reasons) };
}

/** `host:port` of an endpoint, one a port; without a host, its addresses stand there. */
export function placeNames(endpoint: Endpoint): readonly string[] {
  const host = endpoint.host ?? endpoint.allowed_ips?.join(" ") ?? "";
  return endpointPorts(endpoint).map((port) => `${host}:${port}`);
}

/** Reads a policy file. Throws one `NacreError` with every problem. */
export function readPolicy(text: string, file: string): PolicyDocument {
  return readText(policyDocumentSchema, text, file, (policy) => ruleFindings(policy, []));
}

/** Reads a seccomp profile in OCI JSON. Throws one `NacreError` with every problem. */
export function readSeccomp(text: string, file: string): SeccompProfileDocument {
  return readText(seccompProfileSchema, text, file, (profile) => seccompFindings(profile, []));
}

import { z } from "zod";
import { hostPatternProblem } from "./host-pattern.ts";
import { problemText } from "./problem.ts";
import { programProblem } from "./program.ts";

/**
 * The network part of OpenShell's policy language, `version: 1`, as far as it is enforced. Everything else of that
 * language is refused where it is read; nothing is accepted and then not enforced. Where Nacre differs:
 *
 * | OpenShell                                          | Nacre                                                        |
 * | -------------------------------------------------- | ------------------------------------------------------------ |
 * | `enforcement` left out means audit                 | left out means enforce; the importer writes what was meant    |
 * | TLS on any port may name any server                | the SNI is the rule's host, and there is no ECH               |
 * | a private address passes where its name is written | it needs the operator's grant                                 |
 * | an ancestor's path satisfies `binaries`            | only the program that owns the socket does                    |
 * | `binaries: []` denies, or allows, by version       | refused; `binaries` left out means any program of the sandbox |
 * | wildcards up to a top-level domain                 | two labels at least stand behind a wildcard                   |
 * | DNS answers under a rule's name go upstream        | no lookup before the decision; denied names send nothing      |
 */

/** The path of an executable, or a glob of it (`*` stops at `/`, `**` does not). */
export const binarySchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .superRefine((path, context) => {
      const problem = programProblem(path);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problemText(problem) });
    })
    .describe(
      "Absolute path of the executable that owns the socket, or a glob: /usr/bin/git, /usr/lib/git-core/*.",
    ),
});

const portSchema = z.int().min(1).max(65535);

export const endpointSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .superRefine((host, context) => {
      const problem = hostPatternProblem(host);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problemText(problem) });
    })
    .describe("A name, an address, or *.example.com (one label more), **.example.com (one or more)."),
  port: portSchema.optional().describe("The port; or several as ports."),
  ports: z.array(portSchema).min(1).optional().describe("The ports; or one as port."),
  protocol: z
    .enum(["", "tcp"])
    .optional()
    .describe(
      "tcp: any bytes. Left out: TLS for that very name on 443; elsewhere too, where the client speaks TLS.",
    ),
  tls: z.enum(["", "skip"]).optional().describe("TLS is never terminated yet, so both mean the same."),
  enforcement: z
    .enum(["enforce", "audit"])
    .refine(
      (mode) => mode === "enforce",
      "not enforced yet: audit forwards what it only reports: write enforce",
    )
    .optional()
    .describe("enforce, which is also the default."),
});
export type Endpoint = z.infer<typeof endpointSchema>;

export const networkRuleSchema = z.strictObject({
  name: z.string().optional().describe("For people; denials name the rule by its key."),
  endpoints: z.array(endpointSchema).describe("Where to."),
  binaries: z
    .array(binarySchema)
    .optional()
    .describe("Which programs; left out, any program of the sandbox."),
});
export type NetworkRule = z.infer<typeof networkRuleSchema>;

/** OpenShell's `network_policies`: rule id to rule. */
export const networkPoliciesSchema = z.record(z.string().min(1), networkRuleSchema);
export type NetworkPolicies = z.infer<typeof networkPoliciesSchema>;

import { z } from "zod";
import { networkPoliciesSchema } from "../policy/language.ts";
import { insidePathSchema } from "./names.ts";

/** `sandbox`, or a number from 1 on: never root. */
const identitySchema = z
  .string()
  .refine(
    (written) =>
      written === "sandbox" || (/^[1-9][0-9]{0,9}$/.test(written) && Number(written) <= 2 ** 32 - 2),
    "must be sandbox, or a number from 1 to 4294967294 in quotes: write sandbox",
  )
  .meta({ examples: ["sandbox"] });

const paths = z.array(insidePathSchema).max(256, "at most 256 paths");

/**
 * A policy file, OpenShell's `version: 1`: what may be touched, under which identity, and what may be reached.
 * Forms that are not enforced yet are refused by name, so that nothing is accepted and then not enforced.
 */
export const policyDocumentSchema = z.strictObject({
  version: z
    .literal(1)
    .describe("The version of the policy language.")
    .meta({ examples: ["1"] }),
  filesystem_policy: z
    .strictObject({
      include_workdir: z.boolean().optional().describe("The workspace is writable."),
      read_only: paths.optional().describe("Paths inside the sandbox that may be read and executed."),
      read_write: paths
        .refine(
          (all) => !all.includes("/"),
          "the root cannot be writable: name the folders, for example /sandbox",
        )
        .optional()
        .describe("Paths inside the sandbox that may also be written."),
    })
    .optional()
    .describe("The files wall. Without it, that of `policies/base.yaml`."),
  landlock: z
    .strictObject({
      compatibility: z
        .enum(["best_effort", "hard_requirement"])
        .optional()
        .describe("What a kernel without Landlock means."),
    })
    .optional()
    .describe("`walls.files` of the blueprint decides; this may only ask for more."),
  process: z
    .strictObject({
      run_as_user: identitySchema.optional().describe("The user inside; never 0 outside."),
      run_as_group: identitySchema.optional().describe("The group inside; never 0 outside."),
    })
    .optional()
    .describe("The identity inside."),
  network_policies: networkPoliciesSchema
    .optional()
    .describe("Rule id to rule: what may be reached. Everything else is refused before a name is looked up."),
});
export type PolicyDocument = z.infer<typeof policyDocumentSchema>;

import { z } from "zod";
import { addressRangeProblem } from "./address-range.ts";
import { globProblem } from "./glob.ts";
import { hostPatternProblem } from "./host-pattern.ts";
import { methodProblem } from "./http-method.ts";
import { nameLike } from "./name.ts";
import { pathPatternProblem } from "./path-pattern.ts";
import { type Problem, problemText } from "./problem.ts";
import { programProblem } from "./program.ts";

/**
 * The network part of OpenShell's policy language, `version: 1`, as far as it is enforced. Everything else of that
 * language is refused where it is read; nothing is accepted and then not enforced. Where Nacre differs:
 *
 * | OpenShell                                          | Nacre                                                         |
 * | -------------------------------------------------- | ------------------------------------------------------------- |
 * | `enforcement` left out means audit                 | left out means enforce; the importer writes what was meant    |
 * | TLS on any port may name any server                | the SNI is the rule's host, and there is no ECH               |
 * | a private address passes where its name is written | it needs the operator's grant, also within `allowed_ips`      |
 * | an ancestor's path satisfies `binaries`            | only the program that owns the socket does                    |
 * | `binaries: []` denies, or allows, by version       | refused; `binaries` left out means any program of the sandbox |
 * | wildcards up to a top-level domain                 | two labels at least stand behind a wildcard                   |
 * | DNS answers under a rule's name go upstream        | no lookup before the decision; denied names send nothing      |
 * | files up to 4 MiB                                  | up to 1 MiB; no anchors, aliases or tags                      |
 * | `*` means three things in paths                    | one glob: `*` stops at `/`, `**` does not; no other wildcards |
 * | a pattern of a path may be in any form             | in canonical form, else it could never match: an error        |
 * | paths match in any case                            | allowing is exact; only denying ignores ASCII case            |
 * | a rule may leave out `method` or `path`            | both are required: `"*"` and `/**` say everything             |
 * | any word is a method                               | a method of the IANA registry, or `"*"`; never CONNECT        |
 * | `rest` without `access` and `rules`                | refused: it would allow nothing                               |
 * | `path` on an endpoint of any protocol              | with `rest` or a credential: elsewhere no path is seen        |
 * | audit without `protocol: rest` reports something   | there is nothing to refuse: it allows, and lint warns         |
 * | a deny rule of GET leaves HEAD                     | denies HEAD too                                               |
 * | a deny rule on a query that cannot be read passes  | it denies; so does one whose method or path is not known      |
 * | a deny rule on a parameter is for that very name   | also for `name[]`, `name[0]`, `[name]`; allowing is exact     |
 * | a deny rule holds for its own endpoint             | for every endpoint of that host, port and program             |
 * | a deny rule sees `%2F` as text                     | as text and as a slash                                        |
 * | `allow_encoded_slash` lets any `%2F` by            | not where it would make a dot segment or an empty one         |
 * | `tcp` or `tls: skip` beside `rest` on one host     | refused for the same program: only one of them can hold       |
 * | two providers on one host and path: the first wins | refused                                                       |
 * | `credential_binding` under a wildcard              | one exact host, never `tcp`, never `tls: skip`                |
 * | a bound endpoint forwards what the client brings   | every credential that the client brings is refused            |
 * | the profile says where a credential goes           | it, or the binding's own `in`                                 |
 * | an endpoint without `host` is any name             | a connection to an address, since names are decided unlooked  |
 * | `tls: terminate`, `passthrough`, `harness`         | refused: remove them, or write `tls: skip`                    |
 */

const checked =
  (problemOf: (written: string) => Problem | undefined) =>
  (written: string, context: z.RefinementCtx): void => {
    const problem = problemOf(written);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problemText(problem) });
  };

/** The path of an executable, or a glob of it (`*` stops at `/`, `**` does not). */
export const binarySchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .superRefine(checked(programProblem))
    .describe(
      "Absolute path of the executable that owns the socket, or a glob: /usr/bin/git, /usr/lib/git-core/*.",
    ),
});

const portSchema = z.int().min(1).max(65535);

const queryGlobSchema = z.string().max(4096, "at most 4096 characters").superRefine(checked(globProblem));

/** What a parameter's value may be: a glob in which a star is any run, or several. */
export const queryMatcherSchema = z.union([
  queryGlobSchema,
  z.strictObject({
    glob: queryGlobSchema.optional().describe("A glob of the value."),
    any: z.array(queryGlobSchema).min(1).optional().describe("Globs, one of which the value matches."),
  }),
]);
export type QueryMatcher = z.infer<typeof queryMatcherSchema>;

/** Which requests: all three must hold. */
export const requestMatcherSchema = z.strictObject({
  method: z
    .string()
    .superRefine(checked(methodProblem))
    .describe("A method in any case (GET holds for HEAD too), or `*` for every one.")
    .meta({ examples: ["GET"] }),
  path: z
    .string()
    .superRefine(checked(pathPatternProblem))
    .describe(
      "A glob of the canonical path: `*` stops at `/`, `**` does not. `/**` is every path; /a and /a/ are two.",
    )
    .meta({ examples: ["/**"] }),
  query: z
    .record(z.string().min(1), queryMatcherSchema)
    .optional()
    .describe(
      "Parameter to glob, `{ glob }` or `{ any: [glob] }`. Allowing needs each of them, and all its values to match; denying, one value of each. Both look also at what is written `name[]` or `name[0]`.",
    ),
});
export type RequestMatcher = z.infer<typeof requestMatcherSchema>;

export const bindingSchema = z.strictObject({
  provider: nameLike("github")
    .describe(
      "The credential's name, which the operator maps to a source and to the hosts that it may go to.",
    )
    .meta({
      examples: ["github"],
      unspoken:
        "write the credential's name in lower-case letters, digits and dashes, for example github; never the secret itself",
    }),
  in: z
    .strictObject({
      header: z.string().optional().describe("The header's name."),
      prefix: z.string().optional().describe("What stands before the credential in the header: `Bearer `."),
      basic: z
        .string()
        .optional()
        .describe("The user of Basic authentication; the credential is its password."),
      query: z.string().optional().describe("The name of a query parameter."),
      path: z.string().optional().describe("The path's beginning, with `{}` for the credential: `/bot{}/`."),
    })
    .optional()
    .describe(
      "Where it goes, one of them; left out, where the credential's own entry says. Nacre's addition.",
    ),
});

export const endpointSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .superRefine(checked(hostPatternProblem))
    .optional()
    .describe(
      "A name, an address, or *.example.com (one label more), **.example.com (one or more). Left out, with allowed_ips: connections to those addresses.",
    )
    .meta({ examples: ["api.example.com"] }),
  port: portSchema.optional().describe("The port; or several as ports."),
  ports: z.array(portSchema).min(1).optional().describe("The ports; or one as port."),
  path: z
    .string()
    .superRefine(checked((path) => (path === "" ? undefined : pathPatternProblem(path))))
    .optional()
    .describe(
      "A glob: this endpoint, with its rules and deny rules, is for these paths only. Needs rest, or a credential.",
    ),
  protocol: z
    .enum(["", "tcp", "rest"])
    .optional()
    .describe(
      "tcp: any bytes. rest: each HTTP request is decided for itself. Left out: TLS for that very name on 443; elsewhere too, where the client speaks TLS.",
    ),
  tls: z
    .enum(["", "skip"])
    .optional()
    .describe("skip: never terminated, so methods, paths and credentials cannot be enforced."),
  enforcement: z
    .enum(["enforce", "audit"])
    .optional()
    .describe("enforce, which is also the default; audit forwards what it would refuse, and reports it."),
  access: z
    .enum(["read-only", "read-write", "full"])
    .optional()
    .describe(
      "read-only: GET, HEAD, OPTIONS. read-write: also POST, PUT, PATCH. full: every method. Or rules; the first two need rest.",
    ),
  rules: z
    .array(z.strictObject({ allow: requestMatcherSchema.describe("Which requests.") }))
    .min(1)
    .optional()
    .describe("What is allowed, beside what other endpoints of this host and port allow. Needs rest."),
  deny_rules: z
    .array(requestMatcherSchema)
    .min(1)
    .optional()
    .describe("What is refused whatever allows it; paths in any ASCII case. Needs rest."),
  allowed_ips: z
    .array(z.string().superRefine(checked(addressRangeProblem)))
    .min(1)
    .optional()
    .describe("Addresses or blocks: all answers of the name must lie in them. Grants nothing private."),
  allow_encoded_slash: z
    .boolean()
    .optional()
    .describe("Paths may hold %2F, which stays one character of a name. Needs rest, or a credential."),
  credential_binding: bindingSchema
    .optional()
    .describe("The credential that the egress puts into its requests; the client's own are refused."),
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

/** The ports of an endpoint, each once, in order. */
export function endpointPorts({ port, ports }: Endpoint): readonly number[] {
  const all = ports ?? (port === undefined ? [] : [port]);
  return [...new Set(all)].sort((a, b) => a - b);
}

/** Whether requests on its connections are decided one by one. */
export const isInspected = (endpoint: Endpoint): boolean =>
  endpoint.protocol === "rest" || endpoint.credential_binding !== undefined;

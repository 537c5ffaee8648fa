import { z } from "zod";
import { credentialSchema, variableSchema } from "./credentials.ts";
import { inferenceSchema } from "./inference.ts";
import { insidePathSchema, nameSchema, portSchema } from "./names.ts";
import { policyDocumentSchema } from "./policy-document.ts";
import { bytesSchema } from "./quantities.ts";

const requirement = z.enum(["required", "best_effort"]);

export const wallsSchema = z.strictObject({
  files: requirement
    .optional()
    .describe(
      "Landlock over the private mount namespace. `best_effort` starts the agent without it where the kernel has none, and is a warning in every status.",
    )
    .meta({ default: "`required`" }),
  syscalls: requirement
    .optional()
    .describe("The seccomp allow-list. `best_effort` as above.")
    .meta({ default: "`required`" }),
});

export const resourcesSchema = z.strictObject({
  cpu: z
    .number()
    .positive("more than 0")
    .optional()
    .describe("Cores; fractions are allowed.")
    .meta({ default: "unlimited", examples: ["2"] }),
  memory: bytesSchema
    .optional()
    .describe("Memory: `2Gi`, `512Mi`.")
    .meta({ default: "unlimited", examples: ["2Gi"] }),
  pids: z
    .int()
    .positive("more than 0")
    .optional()
    .describe("Processes and threads; protects the host from a fork bomb.")
    .meta({ default: "unlimited", examples: ["512"] }),
  egressPerDay: bytesSchema
    .optional()
    .describe("Bytes that may leave in any 24 hours.")
    .meta({ unenforced: true, examples: ["5Gi"] }),
});

export const agentSchema = z.strictObject({
  kit: z
    .string()
    .optional()
    .describe("A known agent kit, installed at its pinned version. Either this or `command`.")
    .meta({ examples: ["openclaw"] }),
  command: z
    .array(z.string())
    .min(1, "a program and its arguments: [node, server.js]")
    .optional()
    .describe("The program and its arguments, run in `/sandbox`. Either this or `kit`.")
    .meta({ examples: ["[node, server.js]"] }),
  env: z
    .record(variableSchema, z.string())
    .optional()
    .describe("Variables of the command. Never secrets: those stay outside, whatever the walls.")
    .meta({
      default: "none",
      unspoken: 'write NAME: "value", in quotes; a secret never: credentials name it, and it stays outside',
    }),
  policy: z
    .union([z.string().min(1, "a path of a file: policies/agent.yaml"), policyDocumentSchema])
    .optional()
    .describe("A policy file's path, or the policy itself: OpenShell's `version: 1`.")
    .meta({ default: "the base policy: no network but the presets'", examples: ["policies/agent.yaml"] }),
  presets: z
    .array(z.string())
    .optional()
    .describe("Named, reviewed pieces of network policy, added to `policy`.")
    .meta({ default: "none", examples: ["[npm]"] }),
  inference: z
    .string()
    .optional()
    .describe("The route that answers `https://inference.local/v1`.")
    .meta({ default: "none: inference.local is refused", examples: ["default"] }),
  isolation: z
    .enum(["kernel", "gvisor", "kata"])
    .optional()
    .describe(
      "What separates the agent from the host: the host's kernel behind the walls, gVisor, or a Kata virtual machine. Only `kernel` is enforced yet.",
    )
    .meta({ default: "`kernel`" }),
  walls: wallsSchema
    .optional()
    .describe("Which walls stop the sandbox when they cannot be built.")
    .meta({ default: "all required" }),
  seccomp: z
    .string()
    .min(1, "a path of a file: policies/agent.yaml")
    .optional()
    .describe("Path of an own seccomp profile, an allow-list in OCI JSON.")
    .meta({ default: "the profile that ships with Nacre", examples: ["seccomp/agent.json"] }),
  resources: resourcesSchema
    .optional()
    .describe("Limits; absent means unlimited.")
    .meta({ default: "unlimited" }),
  persist: z
    .array(insidePathSchema)
    .optional()
    .describe("Folders that outlive the sandbox.")
    .meta({ default: "`[/sandbox]`", examples: ["[/sandbox]"] }),
  ports: z
    .array(portSchema)
    .optional()
    .describe(
      "Ports inside that are published on the host's loopback. The host's port is the environment's, by default a free one.",
    )
    .meta({ default: "none; of a kit, its server's (openclaw: 18789)", examples: ["[18789]"] }),
  restart: z
    .enum(["always", "on-failure", "never"])
    .optional()
    .describe("What the end of the agent's process means.")
    .meta({ default: "`always`" }),
});
export type AgentDocument = z.infer<typeof agentSchema>;

/** A blueprint as it is written. The type is inferred; the reference page is rendered from the descriptions. */
export const blueprintSchema = z.strictObject({
  apiVersion: z
    .literal("nacre.dev/v1")
    .describe("The version of this format.")
    .meta({ examples: ["nacre.dev/v1"] }),
  kind: z
    .literal("Blueprint")
    .describe("What this file is.")
    .meta({ examples: ["Blueprint"] }),
  metadata: z
    .strictObject({
      name: nameSchema.describe("The blueprint's name.").meta({ examples: ["assistant"] }),
      version: z
        .string()
        .regex(
          /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/,
          "a semantic version: 1.0.0",
        )
        .describe("The blueprint's own semantic version.")
        .meta({ examples: ["1.0.0"] }),
    })
    .describe("Labels. They do not change what runs, so no digest covers them.")
    .meta({ examples: ["{ name: assistant, version: 1.0.0 }"] }),
  agents: z
    .record(nameSchema, agentSchema)
    .refine((agents) => Object.keys(agents).length > 0, "at least one agent")
    .describe("The agents by name: one sandbox each.")
    .meta({ examples: ["{ assistant: { kit: openclaw } }"] }),
  inference: inferenceSchema.optional().describe("Who answers prompts."),
  credentials: z
    .record(nameSchema, credentialSchema)
    .optional()
    .describe(
      "Secrets that the egress puts on at the wire, by name: the operator maps each to a source, to hosts and to sandboxes.",
    ),
});
export type BlueprintDocument = z.infer<typeof blueprintSchema>;

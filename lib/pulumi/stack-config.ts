import { z } from "zod";
import {
  clusterSchema,
  examineText,
  findings,
  gatewaySchema,
  renderPath,
  type ClusterDocument,
  type Examined,
  type Finding,
  type GatewayDocument,
} from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { targets, type TargetName } from "./target-name.ts";

/** What a stack says of its environment, under `nacre:` in `Pulumi.STACK.yaml`. Names and addresses; no field takes a secret. */
export const stackConfigSchema = z.strictObject({
  blueprint: z
    .string()
    .min(1, "a file: blueprint.yaml")
    .optional()
    .describe("The blueprint's file, relative to Pulumi.yaml.")
    .meta({ default: "`stacks/blueprint.yaml`", examples: ["blueprints/assistant.yaml"] }),
  overlay: z
    .string()
    .optional()
    .describe("The environment's own host ports and sizes, a file relative to Pulumi.yaml.")
    .meta({ default: "none" }),
  target: z.enum(targets).optional().describe("Where it runs.").meta({ default: "`host`" }),
  cluster: clusterSchema.optional().describe("What the targets `gateway` and `cluster` take."),
  gateway: gatewaySchema.optional().describe("The container of the target `gateway`."),
  kubeconfig: z
    .string()
    .min(1, "a file: ~/.kube/config")
    .optional()
    .describe("The file that leads to the cluster. `~/` is your home.")
    .meta({ default: "the first of KUBECONFIG's that is there; where it names none, `~/.kube/config`" }),
  context: z
    .string()
    .min(1, "the name of a context")
    .optional()
    .describe("A context of it.")
    .meta({ default: "its current one" }),
});

export interface StackConfig {
  readonly blueprint?: string | undefined;
  readonly overlay?: string | undefined;
  readonly target?: TargetName | undefined;
  readonly cluster?: ClusterDocument | undefined;
  readonly gateway?: GatewayDocument | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

const PREFIX = "nacre:";
const structured: ReadonlySet<string> = new Set(["cluster", "gateway"]);

/** What Pulumi hands a program: each value as a text, objects as JSON. @throws NacreError `invalid_config` */
export function configOf(all: Readonly<Record<string, string>>): StackConfig {
  const own = Object.entries(all)
    .filter(([key]) => key.startsWith(PREFIX))
    .map(([key, text]): [string, unknown] => {
      const name = key.slice(PREFIX.length);
      return [name, structured.has(name) ? fromJson(key, text) : text];
    })
    // An empty text is how Pulumi.yaml says that there is none.
    .filter(([, value]) => value !== "");
  const written = Object.fromEntries(own);
  const problems = [...findings(stackConfigSchema, written), ...misplaced(written)];
  if (problems.length === 0) return stackConfigSchema.parse(written);
  throw new NacreError({
    code: "invalid_config",
    subject: "the stack's configuration",
    message: problems.map(sentence).join("\n"),
    hint: "nacre config check says where",
  });
}

function fromJson(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NacreError({
      code: "invalid_config",
      subject: key,
      message: "is no object",
      hint: `write it as YAML below ${key}: in the stack's file`,
    });
  }
}

const sentence = ({ path, reason, fix }: Finding): string =>
  `${PREFIX}${renderPath(path)}: ${reason} (${fix})`;

/** A stack's file: ours under `config`, beside what is Pulumi's and what is other packages'. */
const fileSchema = z.looseObject({ config: z.record(z.string(), z.unknown()).optional() });

/** Reads a stack's file, with the place of each problem. */
export function examineStackFile(text: string, file: string): Examined<StackConfig> {
  const read = examineText(fileSchema, text, file, ({ config = {} }) => {
    const own = ownOf(config);
    return [...findings(stackConfigSchema, own), ...misplaced(own)].map((finding) => {
      const [first = "", ...rest] = finding.path;
      return { ...finding, path: ["config", `${PREFIX}${first}`, ...rest] };
    });
  });
  if (read.document === undefined) return { problems: read.problems };
  return { ...read, value: stackConfigSchema.parse(ownOf(read.value.config ?? {})) };
}

const ownOf = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(config)
      .filter(([key, value]) => key.startsWith(PREFIX) && value !== "")
      .map(([key, value]) => [key.slice(PREFIX.length), value]),
  );

/** What the target does not look at would be believed to hold. */
function misplaced(written: Readonly<Record<string, unknown>>): Finding[] {
  const { target = "host" } = written;
  const others =
    target === "host"
      ? ["cluster", "gateway", "kubeconfig", "context"]
      : target === "gateway"
        ? ["kubeconfig", "context"]
        : ["gateway"];
  return others
    .filter((key) => written[key] !== undefined)
    .map((key) => ({
      path: [key],
      reason: `the target ${typeof target === "string" ? target : "host"} has no use for it`,
      fix: "remove it, or choose another nacre:target",
    }));
}

import { NVIDIA_MODEL } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import type { Provider } from "../router/config.ts";
import { vendorEndpoints } from "../router/target.ts";
import type { InitOptions } from "./init.ts";
import type { KeySource } from "./provider-key.ts";

/** What a blueprint is made of. */
export interface Answers {
  readonly name: string;
  readonly provider: Provider;
  readonly key: KeySource | undefined;
  /** Where prompts go; undefined for the demo model. */
  readonly destination: { readonly host: string; readonly port: number } | undefined;
}

const kinds = ["demo", "nvidia", "openai"] as const;
type Kind = (typeof kinds)[number];

/** From the flags; where a person is there, what they leave open is asked. */
export async function answersOf(options: InitOptions): Promise<Answers> {
  const asks = options.yes !== true && process.stdin.isTTY;
  const { input, select } = await import("@inquirer/prompts");
  const text = async (message: string, given: string | undefined, usual?: string): Promise<string> => {
    if (given !== undefined) return given;
    if (asks) return input({ message, ...(usual !== undefined && { default: usual }) });
    if (usual !== undefined) return usual;
    throw new NacreError({
      code: "usage_init",
      subject: message,
      message: "is not given",
      hint: "see nacre init --help",
    });
  };
  const name = await text("the agent's name", options.name, "assistant");
  const kind = kindOf(
    options.provider ??
      (asks ? await select({ message: "what answers its prompts", choices: [...kinds] }) : "demo"),
  );
  if (kind === "demo")
    return {
      name,
      provider: { kind, model: "demo", trusted: false },
      key: undefined,
      destination: undefined,
    };
  const endpoint =
    kind === "openai"
      ? await text("the service's address", options.endpoint, vendorEndpoints.openai)
      : options.endpoint;
  const model = await text(
    "the model (--model)",
    options.model,
    kind === "nvidia" ? NVIDIA_MODEL : undefined,
  );
  const url = urlOf(endpoint ?? vendorEndpoints[kind]);
  const key = await keyOf(kind, url, options, text);
  const provider: Provider = {
    kind,
    model,
    ...(endpoint !== undefined && { endpoint }),
    ...(key !== undefined && { credential: kind }),
    trusted: false,
  };
  const port = url.port === "" ? (url.protocol === "http:" ? 80 : 443) : Number(url.port);
  return { name, provider, key, destination: { host: url.hostname, port } };
}

/** A service without TLS is given no key; another may want none. */
async function keyOf(
  kind: "nvidia" | "openai",
  url: URL,
  { keyEnv, keyFile, endpoint }: InitOptions,
  text: (message: string, given: string | undefined, usual?: string) => Promise<string>,
): Promise<KeySource | undefined> {
  if (keyFile !== undefined) return { file: keyFile };
  if (keyEnv === undefined && (url.protocol === "http:" || endpoint !== undefined)) return undefined;
  const usual = kind === "nvidia" ? "NVIDIA_API_KEY" : "OPENAI_API_KEY";
  return { env: await text("environment variable that holds the key", keyEnv, usual) };
}

function urlOf(text: string): URL {
  if (URL.canParse(text)) return new URL(text);
  throw new NacreError({
    code: "usage_endpoint",
    subject: text,
    message: "is no URL",
    hint: "write one up to and with /v1: http://127.0.0.1:11434/v1",
  });
}

function kindOf(name: string): Kind {
  const found = kinds.find((kind) => kind === name);
  if (found !== undefined) return found;
  throw new NacreError({
    code: "usage_provider",
    subject: name,
    message: "is not offered here",
    hint: `one of ${kinds.join(", ")}`,
  });
}

export const blueprintOf = ({ name, provider }: Answers): string => `apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: ${name}, version: 0.1.0 }
agents:
  ${name}:
    kit: openclaw
    inference: default
    # What else it may reach is refused until a preset or a rule says so: presets: [github-read, npm]
    ports: [18789]
    restart: always
inference:
  routes:
    default: { try: [${provider.kind}], timeout: 60s }
  providers:
    ${provider.kind}: ${flow(provider)}
`;

function flow({ kind, model, endpoint, credential }: Provider): string {
  const parts = [
    `kind: ${kind}`,
    ...(endpoint === undefined ? [] : [`endpoint: ${JSON.stringify(endpoint)}`]),
    ...(kind === "demo" ? [] : [`model: ${JSON.stringify(model)}`]),
    ...(credential === undefined ? [] : [`credential: ${credential}`]),
  ];
  return `{ ${parts.join(", ")} }`;
}

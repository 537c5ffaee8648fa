import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, type StackOption } from "./context.ts";
import { note } from "./output.ts";

interface InitOptions extends StackOption {
  readonly name?: string;
  readonly provider?: string;
  readonly keyEnv?: string;
  readonly keyFile?: string;
  readonly yes?: boolean;
}

const providers = ["demo", "nvidia"] as const;
type ProviderName = (typeof providers)[number];

/** `nacre init`: a blueprint here, and the operator's entries that it needs. Asks, or takes flags. */
export function init(): Command {
  return new Command("init")
    .description("write a blueprint here, and say on this machine what its credentials mean")
    .option("--name <name>", "the agent's name")
    .option("--provider <name>", "what answers prompts: demo (no key), nvidia")
    .option("--key-env <variable>", "the environment variable that holds the provider's key")
    .option("--key-file <path>", "a 0600 file that holds it")
    .option("-s, --stack <name>", "the environment")
    .option("-y, --yes", "take the defaults, ask nothing")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre init\n  $ nacre init --yes --name assistant --provider nvidia --key-env NVIDIA_API_KEY",
    )
    .action(async (options: InitOptions) => {
      const context = contextOf(options);
      const file = join(context.directory, "blueprint.yaml");
      if (existsSync(file))
        throw new NacreError({
          code: "blueprint_exists",
          subject: file,
          message: "is already there",
          hint: "edit it, or remove it first",
        });
      const asked =
        options.yes === true || !process.stdin.isTTY ? defaults(options) : await questions(options);
      await mkdir(context.directory, { recursive: true });
      await writeFile(file, blueprint(asked.name, asked.provider), { flag: "wx" });
      note(`wrote ${file}`);
      if (asked.provider === "nvidia") await mapKey(asked, `${context.stack}/${asked.name}`);
      note("next: nacre preview, then nacre up");
    });
}

interface Answers {
  readonly name: string;
  readonly provider: ProviderName;
  readonly keyEnv?: string | undefined;
  readonly keyFile?: string | undefined;
}

function defaults(options: InitOptions): Answers {
  return {
    name: options.name ?? "assistant",
    provider: providerOf(options.provider ?? "demo"),
    keyEnv: options.keyEnv,
    keyFile: options.keyFile,
  };
}

async function questions(options: InitOptions): Promise<Answers> {
  const { input, select } = await import("@inquirer/prompts");
  const name = options.name ?? (await input({ message: "the agent's name", default: "assistant" }));
  const provider =
    options.provider ?? (await select({ message: "what answers its prompts", choices: [...providers] }));
  const given = options.keyEnv ?? options.keyFile;
  const keyEnv =
    provider !== "nvidia" || given !== undefined
      ? options.keyEnv
      : await input({ message: "environment variable that holds the key", default: "NVIDIA_API_KEY" });
  return { name, provider: providerOf(provider), keyEnv, keyFile: options.keyFile };
}

function providerOf(name: string): ProviderName {
  const found = providers.find((provider) => provider === name);
  if (found !== undefined) return found;
  throw new NacreError({
    code: "usage_provider",
    subject: name,
    message: "is not offered here",
    hint: `one of ${providers.join(", ")}; others go into the blueprint by hand`,
  });
}

async function mapKey({ keyEnv, keyFile }: Answers, user: string): Promise<void> {
  const { mapNvidiaKey } = await import("./nvidia-key.ts");
  await mapNvidiaKey(keyFile === undefined ? { env: keyEnv ?? "NVIDIA_API_KEY" } : { file: keyFile }, user);
}

const blueprint = (name: string, provider: ProviderName): string => `apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: ${name}, version: 0.1.0 }
agents:
  ${name}:
    kit: openclaw
    inference: default
    # What else it may reach is refused until a preset or a rule says so: presets: [github, npm]
    ports: [18789]
    restart: always
inference:
  routes:
    default: { try: [${provider}], timeout: 60s }
  providers:
    ${provider === "demo" ? "demo: { kind: demo }" : "nvidia: { kind: nvidia, model: nvidia/nemotron-3-super-120b-a12b, credential: nvidia }"}
`;

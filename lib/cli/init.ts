import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, type StackOption } from "./context.ts";
import type { Answers } from "./init-answers.ts";
import { note } from "./output.ts";

export interface InitOptions extends StackOption {
  readonly name?: string;
  readonly provider?: string;
  readonly endpoint?: string;
  readonly model?: string;
  readonly keyEnv?: string;
  readonly keyFile?: string;
  readonly check: boolean;
  readonly yes?: boolean;
}

/** `nacre init`: a blueprint here, and the operator's entries that it needs. Asks, or takes flags. */
export function init(): Command {
  return new Command("init")
    .description("write a blueprint here, and say on this machine what its credentials mean")
    .option("--name <name>", "the agent's name")
    .option("--provider <kind>", "what answers prompts: demo (no key), nvidia, openai")
    .option("--endpoint <url>", "of openai: any service that speaks its dialect, up to and with /v1")
    .option("--model <name>", "of nvidia and openai: the model")
    .option("--key-env <variable>", "the environment variable that holds the provider's key")
    .option("--key-file <path>", "a 0600 file that holds it")
    .option("--no-check", "do not call the provider once before anything is written")
    .option("-s, --stack <name>", "the environment")
    .option("-y, --yes", "take the defaults, ask nothing")
    .addHelpText(
      "after",
      `
The provider is called once with the key; when it does not answer as it should, nothing is written. Where a name answers
from an address that is not public (a company's mirror), you are asked whether that is your network.

Examples:
  $ nacre init
  $ nacre init --yes --name assistant --provider nvidia --key-env NVIDIA_API_KEY
  $ nacre init --yes --provider openai --endpoint http://127.0.0.1:11434/v1 --model qwen3.6:35b`,
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
      const { answersOf, blueprintOf } = await import("./init-answers.ts");
      const { parseBlueprint } = await import("../blueprint/index.ts");
      const { loadCatalogue } = await import("../pulumi/catalogue.ts");
      const answers = await answersOf(options);
      const text = blueprintOf(answers);
      const refuse = (): never => {
        throw new Error("an inline blueprint reads no file");
      };
      parseBlueprint(text, { file: "blueprint.yaml", catalogue: loadCatalogue(), read: refuse });
      if (options.check && answers.provider.kind !== "demo") await tryProvider(answers, options);
      await mkdir(context.directory, { recursive: true });
      await writeFile(file, text, { flag: "wx" });
      note(`wrote ${file}`);
      const { key, provider, destination } = answers;
      if (key !== undefined && destination !== undefined) {
        const { mapKey } = await import("./provider-key.ts");
        const to = destination.port === 443 ? destination.host : `${destination.host}:${destination.port}`;
        await mapKey(provider.kind, key, to, `${context.stack}/${answers.name}`);
      }
      note("next: nacre preview, then nacre up");
    });
}

/** One live call, as the router will make it. */
async function tryProvider(answers: Answers, options: InitOptions): Promise<void> {
  const { checkProvider } = await import("../egress/check-provider.ts");
  const { operatorFile } = await import("../host/paths.ts");
  const { readOperator } = await import("../host/operator.ts");
  const { provider, key, destination } = answers;
  const secret = key === undefined ? undefined : await valueOf(provider.kind, key);
  if (destination !== undefined) await offerGrant(destination, options);
  const { grants } = await readOperator(operatorFile());
  await checkProvider({ name: provider.kind, provider, secret, grants, timeoutSeconds: 60 });
  note(`${provider.kind} answers as ${provider.model}`);
}

async function valueOf(name: string, key: NonNullable<Answers["key"]>): Promise<string> {
  const { resolveSecret } = await import("../host/secret-source.ts");
  const value = "env" in key ? process.env[key.env] : undefined;
  if ("env" in key && (value === undefined || value === ""))
    throw new NacreError({
      code: "key_missing",
      subject: key.env,
      message: "is not set here",
      hint: `set it and run this again, or write --no-check`,
    });
  const handed = new Map(value === undefined ? [] : [[name, value]]);
  const resolved = await resolveSecret(name, { ...key, for: ["-"], use: ["-"] }, handed);
  if ("value" in resolved) return resolved.value;
  throw new NacreError({ code: "key_missing", subject: name, message: resolved.lacking });
}

/** A public name that answers from within: only a person can say that this is right. */
async function offerGrant(
  { host, port }: NonNullable<Answers["destination"]>,
  options: InitOptions,
): Promise<void> {
  if (options.yes === true || !process.stdin.isTTY) return;
  const { operatorFile } = await import("../host/paths.ts");
  const { readOperator } = await import("../host/operator.ts");
  const { networkFinding } = await import("./doctor-findings.ts");
  const granted = (await readOperator(operatorFile())).grants.map((grant) => grant.host);
  const { found, grants = [] } = await networkFinding(host, port, granted);
  if (grants.length === 0) return;
  const { confirm } = await import("./confirm.ts");
  const { addGrant } = await import("../host/operator-edit.ts");
  if (!(await confirm(`${host} answers from ${found}. Is that your network, and may agents reach it?`)))
    return;
  for (const grant of grants) await addGrant(operatorFile(), grant);
  note(`wrote into ${operatorFile()}: ${host} may answer from there`);
}

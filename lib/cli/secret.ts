import { Command } from "commander";
import { NacreError } from "../error.ts";
import type { SecretEntry } from "../host/operator.ts";
import { mappingText, sourceText } from "./mapped.ts";
import { note, plain, print, printJson, table } from "./output.ts";

interface SetOptions {
  readonly file?: string;
  readonly env?: string;
  readonly command?: string[];
  readonly for: string[];
  readonly use: string[];
}

/** `nacre secret set|allow|list|remove`: what a credential's name means on this machine. Values are never printed. */
export function secret(): Command {
  const set = new Command("set")
    .description(
      "say where a secret's value comes from, and where it may go; what was said before is replaced",
    )
    .argument("<name>", "as blueprints name it")
    .option("--file <path>", "a file that holds the value; 0600")
    .option("--env <variable>", "a variable of the environment that nacre is called in")
    .option("--command <word...>", "a program and its arguments that prints the value")
    .requiredOption("--for <host...>", "the hosts that it may be sent to, over verified TLS")
    .requiredOption(
      "--use <sandbox...>",
      "who may use it: environment/sandbox, * for any; run/run is what nacre run starts",
    )
    .addHelpText(
      "after",
      "\nExample:\n  $ nacre secret set nvidia --env NVIDIA_API_KEY --for integrate.api.nvidia.com --use dev/assistant\n  $ nacre secret set github --command gh auth token --for api.github.com --use dev/assistant run/run",
    )
    .action(async (name: string, options: SetOptions) => {
      const given = [options.file, options.env, options.command].filter((source) => source !== undefined);
      if (given.length !== 1)
        throw new NacreError({
          code: "usage_secret",
          subject: name,
          message: given.length === 0 ? "no source is named" : "more than one source is named",
          hint: "give one of --file, --env and --command",
        });
      const { operatorFile } = await import("../host/paths.ts");
      const { setSecret } = await import("../host/operator-edit.ts");
      const path = await import("node:path");
      const { env, command } = options;
      // The daemon reads it, in a folder of its own.
      const file = options.file?.startsWith("~/") === false ? path.resolve(options.file) : options.file;
      const entry = { ...{ file, env, command }, for: options.for, use: options.use };
      const { mappedTo, readOperator } = await import("../host/operator.ts");
      const before = await readOperator(operatorFile()).catch(() => undefined);
      await setSecret(operatorFile(), name, entry);
      note(`${name} written into ${operatorFile()}`);
      const replaced = before && mappedTo(before, name);
      if (replaced !== undefined) note(`  it was ${mappingText(replaced)} (nacre secret allow adds to that)`);
      if (file === undefined) return;
      // Said now, by whoever can mend it, and not only by the status of a sandbox that lacks it.
      const { resolveSecret } = await import("../host/secret-source.ts");
      const found = await resolveSecret(name, entry, new Map());
      if ("lacking" in found) note(`warning: ${plain(found.lacking)}`);
    });
  const allow = new Command("allow")
    .description("let a mapped secret go to more hosts, or be used by more sandboxes; its source stays")
    .argument("<name>", "as blueprints name it")
    .option("--for <host...>", "more hosts that it may be sent to, over verified TLS")
    .option("--use <sandbox...>", "who else may use it: environment/sandbox, * for any")
    .addHelpText("after", "\nExample:\n  $ nacre secret allow github --use dev/reviewer")
    .action(async (name: string, more: Partial<Pick<SecretEntry, "for" | "use">>) => {
      if (more.for === undefined && more.use === undefined)
        throw new NacreError({
          code: "usage_secret",
          subject: name,
          message: "nothing is added",
          hint: "give --for, --use or both",
        });
      const { operatorFile } = await import("../host/paths.ts");
      const { allowSecret } = await import("../host/operator-edit.ts");
      const entry = await allowSecret(operatorFile(), name, { for: more.for ?? [], use: more.use ?? [] });
      note(`${name} is ${mappingText(entry)}`);
    });
  const list = new Command("list")
    .description("list the mapped names, their sources and hosts; no values")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  $ nacre secret list")
    .action(async (options: { readonly json?: boolean }) => {
      const { operatorFile } = await import("../host/paths.ts");
      const { readOperator } = await import("../host/operator.ts");
      const { secrets } = await readOperator(operatorFile());
      if (options.json === true) {
        printJson(secrets);
        return;
      }
      print(
        table(
          ["NAME", "SOURCE", "FOR", "USE"],
          Object.entries(secrets).map(([name, entry]) => [
            name,
            sourceText(entry),
            entry.for.join(", "),
            entry.use.join(", "),
          ]),
        ),
      );
    });
  const remove = new Command("remove")
    .description("forget what a name means; the source itself stays")
    .argument("<name>")
    .addHelpText("after", "\nExample:\n  $ nacre secret remove nvidia")
    .action(async (name: string) => {
      const { operatorFile } = await import("../host/paths.ts");
      const { removeSecret } = await import("../host/operator-edit.ts");
      if (await removeSecret(operatorFile(), name)) {
        note(`${name} is not mapped any more`);
        return;
      }
      throw new NacreError({
        code: "secret_unmapped",
        subject: name,
        message: "is not mapped on this machine",
        hint: "nacre secret list shows what is",
      });
    });
  return new Command("secret")
    .description("say what a credential's name means on this machine")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre secret set nvidia --env NVIDIA_API_KEY --for integrate.api.nvidia.com --use dev/assistant\n  $ nacre secret allow nvidia --use dev/reviewer\n  $ nacre secret list\n  $ nacre secret remove nvidia",
    )
    .addCommand(set)
    .addCommand(allow)
    .addCommand(list)
    .addCommand(remove);
}

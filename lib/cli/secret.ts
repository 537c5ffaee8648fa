import { Command } from "commander";
import { NacreError } from "../error.ts";
import { note, plain, print, printJson, table } from "./output.ts";

interface SetOptions {
  readonly file?: string;
  readonly env?: string;
  readonly command?: string[];
  readonly for: string[];
  readonly use: string[];
}

/** `nacre secret set|list|remove`: what a credential's name means on this machine. Values are never printed. */
export function secret(): Command {
  const set = new Command("set")
    .description("say where a secret's value comes from, and where it may go")
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
      await setSecret(operatorFile(), name, entry);
      note(`${name} written into ${operatorFile()}`);
      if (file === undefined) return;
      // Said now, by whoever can mend it, and not only by the status of a sandbox that lacks it.
      const { resolveSecret } = await import("../host/secret-source.ts");
      const found = await resolveSecret(name, entry, new Map());
      if ("lacking" in found) note(`warning: ${plain(found.lacking)}`);
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
          Object.entries(secrets).map(([name, { file, env, command, ...where }]) => [
            name,
            file !== undefined
              ? `file ${file}`
              : env !== undefined
                ? `env ${env}`
                : `command ${command?.[0] ?? ""}`,
            where.for.join(", "),
            where.use.join(", "),
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
      "\nExamples:\n  $ nacre secret set nvidia --env NVIDIA_API_KEY --for integrate.api.nvidia.com --use dev/assistant\n  $ nacre secret list\n  $ nacre secret remove nvidia",
    )
    .addCommand(set)
    .addCommand(list)
    .addCommand(remove);
}

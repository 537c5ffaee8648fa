import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, Option } from "commander";
import { contextOf, type StackOption } from "./context.ts";
import type { BlueprintOption } from "./environment.ts";
import { note, print } from "./output.ts";
import { withBlueprint } from "./up.ts";

interface SynthOptions extends StackOption, BlueprintOption {
  readonly output?: string;
  readonly program?: string;
}

/** `nacre synth [-o DIR]`: what the target would get, as YAML. Needs no engine and no cluster, starts nothing. */
export function synth(): Command {
  return withBlueprint(new Command("synth"))
    .description("write what the target would get, one object a file; starts nothing")
    .addOption(
      new Option("-p, --program <file>", "a module whose `environment` makes the construct tree").conflicts(
        "blueprint",
      ),
    )
    .option("-o, --output <folder>", "write files there; without it, all to stdout")
    .addHelpText(
      "after",
      "\nFiles that an earlier synth wrote there, and that are no longer of the environment, are removed.\n\n" +
        "Examples:\n  $ nacre synth\n  $ nacre synth -s prod --target cluster -o manifests/\n" +
        "  $ nacre synth -s prod --program environment.ts -o manifests/",
    )
    .action(async (options: SynthOptions) => {
      const { readEnvironment, readProgram } = await import("./environment.ts");
      const { renderEnvironment } = await import("../synth/environment.ts");
      const context = contextOf(options);
      const { environment, catalogue } =
        options.program === undefined
          ? readEnvironment(context, options)
          : await readProgram(context, options, options.program);
      const { files, notes } = renderEnvironment(environment, { catalogue, project: context.project });
      for (const line of notes) note(line);
      if (options.output === undefined) {
        for (const [name, text] of files) print(`# ${name}\n---\n${text.trimEnd()}`);
        return;
      }
      await writeFiles(options.output, files);
      note(`${files.size} objects in ${options.output}`);
    });
}

/** What an earlier run wrote, so that a GitOps tool sees an object go; nothing else of the folder is touched. */
const LIST = ".nacre-synth";

async function writeFiles(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const present = await readdir(folder);
  const before = present.includes(LIST) ? await namesIn(join(folder, LIST)) : [];
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  for (const name of before) {
    if (!files.has(name) && present.includes(name)) await rm(join(folder, name));
  }
  await writeFile(join(folder, LIST), [...files.keys(), ""].join("\n"));
}

async function namesIn(list: string): Promise<string[]> {
  return (await readFile(list, "utf8")).split("\n").filter((name) => /^[^/]+\.yaml$/.test(name));
}

import { Command } from "commander";
import { contextOf, type StackOption } from "./context.ts";
import type { BlueprintOption } from "./environment.ts";
import { note, plain, print, printJson } from "./output.ts";
import { withOptions } from "./up.ts";

interface SynthOptions extends StackOption, BlueprintOption {
  readonly output?: string;
  readonly json?: boolean;
}

/** `nacre synth [-o DIR]`: what the target would get, as YAML. Needs no engine and no cluster, starts nothing. */
export function synth(): Command {
  return withOptions(new Command("synth"))
    .description("write what the target would get, one object a file; starts nothing")
    .option("-o, --output <folder>", "write files there; without it, all to stdout")
    .addHelpText(
      "after",
      "\nThe folder is the stack's on that target alone. Files that an earlier synth wrote there, and that are no longer of\n" +
        "the environment, are removed; no other file is touched. A gateway's Docker objects lie below gateway/.\n\n" +
        "Exit code 3 when all is written and up would be refused.\n\n" +
        "Examples:\n  $ nacre synth\n  $ nacre synth -s prod --target cluster -o manifests/\n" +
        "  $ nacre synth -s prod --program environment.ts -o manifests/\n" +
        "  $ nacre synth -s prod -o manifests/ --json | jq .obstacles",
    )
    .action(async (options: SynthOptions) => {
      const { notesOf } = await import("../synth/environment.ts");
      const { writeFolder } = await import("./synth-folder.ts");
      const { owner, ...made } = await rendered(options);
      const { files, warnings, obstacles, hatches } = made;
      const folder = options.output;
      const removed = folder === undefined ? [] : await writeFolder(folder, files, owner);
      if (obstacles.length > 0) process.exitCode = 3;
      if (options.json === true) {
        const { stack, target } = owner;
        const listed = [...files].map(([name, text]) => (folder === undefined ? { name, text } : { name }));
        printJson({ stack, target, folder, files: listed, removed, obstacles, warnings, hatches });
        return;
      }
      for (const line of notesOf(made)) note(line);
      if (folder === undefined) {
        for (const [name, text] of files) print(`# ${name}\n---\n${text.trimEnd()}`);
        return;
      }
      for (const name of removed) note(`removed ${plain(name)}`);
      note(`${files.size} objects in ${folder}`);
    });
}

async function rendered(options: SynthOptions) {
  const { readEnvironment } = await import("./environment.ts");
  const { inProgram } = await import("./program.ts");
  const { renderEnvironment } = await import("../synth/environment.ts");
  const context = contextOf(options);
  const { environment, catalogue } = await readEnvironment(context, options);
  const { project, stack } = context;
  return {
    ...inProgram(options.program, () => renderEnvironment(environment, { catalogue, project })),
    owner: { project, stack, target: environment.target.kind },
  };
}

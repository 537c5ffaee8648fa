import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { contextOf, type StackOption } from "./context.ts";
import type { BlueprintOption } from "./environment.ts";
import { note, print } from "./output.ts";

interface SynthOptions extends StackOption, BlueprintOption {
  readonly output?: string;
}

/** `nacre synth [-o DIR]`: what the target would get, as YAML. Needs no engine, starts nothing. */
export function synth(): Command {
  return new Command("synth")
    .description("write what the target would get, one object a file; starts nothing")
    .option("-b, --blueprint <file>", "the blueprint")
    .option("--overlay <file>", "this environment's own host ports and sizes")
    .option("-s, --stack <name>", "the environment")
    .option("-o, --output <folder>", "write files there; without it, all to stdout")
    .addHelpText("after", "\nExamples:\n  $ nacre synth\n  $ nacre synth -s prod -o manifests/")
    .action(async (options: SynthOptions) => {
      const { readEnvironment } = await import("./environment.ts");
      const { synthesizeHost } = await import("../synth/host.ts");
      const { renderHost } = await import("../synth/render.ts");
      const { environment, catalogue } = readEnvironment(contextOf(options), options);
      const objects = synthesizeHost(environment, { catalogue });
      for (const warning of objects.warnings) note(`warning: ${warning}`);
      const files = renderHost(objects);
      if (options.output === undefined) {
        for (const [name, text] of files) print(`# ${name}\n---\n${text.trimEnd()}`);
        return;
      }
      await mkdir(options.output, { recursive: true });
      for (const [name, text] of files) await writeFile(join(options.output, name), text);
      note(`${files.size} objects in ${options.output}`);
    });
}

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { contextOf, type StackOption } from "./context.ts";
import type { BlueprintOption, ReadEnvironment } from "./environment.ts";
import { note, print } from "./output.ts";
import { withBlueprint } from "./up.ts";

interface SynthOptions extends StackOption, BlueprintOption {
  readonly output?: string;
}

/** `nacre synth [-o DIR]`: what the target would get, as YAML. Needs no engine and no cluster, starts nothing. */
export function synth(): Command {
  return withBlueprint(new Command("synth"))
    .description("write what the target would get, one object a file; starts nothing")
    .option("-o, --output <folder>", "write files there; without it, all to stdout")
    .addHelpText(
      "after",
      "\nFiles that an earlier synth wrote there, and that are no longer of the environment, are removed.\n\n" +
        "Examples:\n  $ nacre synth\n  $ nacre synth -s prod --target cluster -o manifests/",
    )
    .action(async (options: SynthOptions) => {
      const { readEnvironment } = await import("./environment.ts");
      const { files, lines } = await rendered(readEnvironment(contextOf(options), options));
      for (const line of lines) note(line);
      if (options.output === undefined) {
        for (const [name, text] of files) print(`# ${name}\n---\n${text.trimEnd()}`);
        return;
      }
      await writeFiles(options.output, files);
      note(`${files.size} objects in ${options.output}`);
    });
}

interface Rendered {
  readonly files: ReadonlyMap<string, string>;
  /** What a person should know of them. */
  readonly lines: readonly string[];
}

async function rendered({ environment, catalogue }: ReadEnvironment): Promise<Rendered> {
  const { isInKubernetes } = await import("../pulumi/stack-environment.ts");
  if (!isInKubernetes(environment)) {
    const { synthesizeHost } = await import("../synth/host.ts");
    const { renderHost } = await import("../synth/host-render.ts");
    const objects = synthesizeHost(environment, { catalogue });
    return { files: renderHost(objects), lines: objects.warnings.map(asWarning) };
  }
  const { synthesizeKubernetes } = await import("../synth/kubernetes.ts");
  const { renderKubernetes } = await import("../synth/kubernetes/render.ts");
  const objects = synthesizeKubernetes(environment, { catalogue });
  return {
    files: renderKubernetes(objects.objects),
    lines: [
      ...objects.warnings.map(asWarning),
      ...objects.obstacles.map(
        ({ subject, reason, fix }) => `up would be refused: ${subject}: ${reason}\n  fix: ${fix}`,
      ),
      ...objects.hatches.map(({ by, object, reason }) => `escape hatch of ${by} on ${object}: ${reason}`),
    ],
  };
}

const asWarning = (text: string): string => `warning: ${text}`;

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

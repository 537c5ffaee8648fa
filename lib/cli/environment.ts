import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { nearest, problemsError, type Catalogue } from "../blueprint/index.ts";
import type { Environment } from "../constructs/index.ts";
import { NacreError } from "../error.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { examineStackFile, type StackConfig } from "../pulumi/stack-config.ts";
import { environmentOfProgram, environmentOfStack } from "../pulumi/stack-environment.ts";
import type { TargetName } from "../pulumi/target-name.ts";
import { blueprintFile, stacksIn, type Context } from "./context.ts";
import { inProgram, programIn } from "./program.ts";

/** Options of the commands that read an environment. */
export interface BlueprintOption {
  readonly blueprint?: string;
  /** A module that makes the construct tree, in the place of a blueprint. */
  readonly program?: string;
  readonly overlay?: string;
  readonly target?: TargetName;
}

/** The construct tree of this environment, with the catalogue that it is resolved against. */
export interface ReadEnvironment {
  readonly environment: Environment;
  readonly catalogue: Catalogue;
  /** What the stack's file says, with what the command says instead. */
  readonly config: StackConfig;
}

/**
 * Reads files, or runs a team's own module as `pulumi preview` would run it; starts nothing.
 * @throws NacreError `blueprint_missing`, `program_invalid`, `program_failed`
 */
export async function readEnvironment(context: Context, options: BlueprintOption): Promise<ReadEnvironment> {
  const config = configOf(context, options);
  const catalogue = loadCatalogue();
  const place = { environment: context.stack, project: context.project, folder: context.directory };
  if (options.program !== undefined) {
    const program = await programIn(options.program);
    const environment = inProgram(options.program, () => environmentOfProgram(program, config, place));
    return { environment, catalogue, config };
  }
  const blueprint =
    config.blueprint === undefined ? blueprintFile(context, undefined, withoutBlueprint(context)) : "";
  return { environment: environmentOfStack(config, { ...place, blueprint, catalogue }), catalogue, config };
}

/** What to do where there is no blueprint: a team's own program is not to be written again as one. */
function withoutBlueprint({ directory, main }: Context): string {
  const module = join(directory, "environment.ts");
  const isThere = existsSync(module);
  if (!isThere && main === undefined) return "name one with --blueprint FILE, or make one with nacre init";
  const file = isThere ? relative(process.cwd(), module) : "FILE";
  return `name the module that exports environment with --program ${file}, or use pulumi preview and pulumi up`;
}

/** What is named on the command line is relative to where it is typed. */
function configOf(context: Context, options: BlueprintOption): StackConfig {
  mustBeKnown(context);
  return {
    ...readStackFile(context.stackFile),
    ...(options.blueprint !== undefined && { blueprint: resolve(options.blueprint) }),
    ...(options.overlay !== undefined && { overlay: resolve(options.overlay) }),
    ...(options.target !== undefined && { target: options.target }),
  };
}

/**
 * A stack without a file is on the host, as it comes. One that is named, where others have files, is taken for misspelt.
 * @throws NacreError `stack_unknown`
 */
function mustBeKnown({ stack, isNamed, stackFile }: Context): void {
  if (!isNamed || existsSync(stackFile)) return;
  const others = stacksIn(dirname(stackFile));
  if (others.length === 0) return;
  const meant = nearest(stack, others);
  throw new NacreError({
    code: "stack_unknown",
    subject: `stack ${stack}`,
    message: `has no file ${basename(stackFile)}, as the other stacks of the project have`,
    hint: `${meant === undefined ? "" : `-s ${meant}; `}there are: ${others.sort().join(", ")} (a new one begins with its file)`,
  });
}

/** What a stack's file says under `nacre:`; undefined where there is no such file. */
export function readStackFile(file: string): StackConfig | undefined {
  if (!existsSync(file)) return undefined;
  const shown = relative(process.cwd(), file);
  const { value, document, problems } = examineStackFile(
    readFileSync(file, "utf8"),
    shown.startsWith("..") ? file : shown,
  );
  if (document === undefined) throw problemsError("invalid_config", problems);
  return value;
}

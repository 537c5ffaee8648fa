import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { nearest, problemsError, type Catalogue } from "../blueprint/index.ts";
import type { Environment } from "../constructs/index.ts";
import { NacreError } from "../error.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { examineStackFile, type StackConfig } from "../pulumi/stack-config.ts";
import { environmentOfProgram, environmentOfStack } from "../pulumi/stack-environment.ts";
import type { TargetName } from "../pulumi/target-name.ts";
import { blueprintFile, type Context } from "./context.ts";
import { inProgram, programIn } from "./program.ts";

/** Options of the commands that read a blueprint. */
export interface BlueprintOption {
  readonly blueprint?: string;
  readonly overlay?: string;
  readonly target?: TargetName;
}

/** A blueprint file as the construct tree of this environment, with the catalogue that it is resolved against. */
export interface ReadEnvironment {
  readonly environment: Environment;
  readonly catalogue: Catalogue;
  /** What the stack's file says, with what the command says instead. */
  readonly config: StackConfig;
}

/** Reads files; starts nothing. */
export function readEnvironment(context: Context, options: BlueprintOption): ReadEnvironment {
  const config = configOf(context, options);
  const catalogue = loadCatalogue();
  const blueprint = config.blueprint === undefined ? blueprintFile(context, undefined) : "";
  const { stack: environment, project, directory: folder } = context;
  return {
    environment: environmentOfStack(config, { environment, project, folder, blueprint, catalogue }),
    catalogue,
    config,
  };
}

/**
 * The construct tree of a team's own module, which is run as `pulumi preview` would run it.
 * @throws NacreError `program_invalid`
 */
export async function readProgram(
  context: Context,
  options: BlueprintOption,
  file: string,
): Promise<ReadEnvironment> {
  const config = configOf(context, options);
  const { stack: environment, project, directory: folder } = context;
  const program = await programIn(file);
  const made = inProgram(file, () => environmentOfProgram(program, config, { environment, project, folder }));
  return { environment: made, catalogue: loadCatalogue(), config };
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
  const folder = dirname(stackFile);
  const others = (existsSync(folder) ? readdirSync(folder) : []).flatMap(
    (name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [],
  );
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

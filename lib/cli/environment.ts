import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { problemsError, type Catalogue } from "../blueprint/index.ts";
import { Environment } from "../constructs/index.ts";
import { NacreError } from "../error.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { examineStackFile, type StackConfig } from "../pulumi/stack-config.ts";
import {
  environmentOfProgram,
  environmentOfStack,
  type Program,
  type StackProps,
} from "../pulumi/stack-environment.ts";
import type { TargetName } from "../pulumi/target-name.ts";
import { blueprintFile, type Context } from "./context.ts";

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
  const made = environmentOfProgram(await programIn(file), config, { environment, project, folder });
  return { environment: made, catalogue: loadCatalogue(), config };
}

async function programIn(file: string): Promise<Program> {
  const invalid = (message: string): NacreError =>
    new NacreError({
      code: "program_invalid",
      subject: file,
      message,
      hint: "export function environment(stack: StackProps): Environment { … }",
    });
  if (!existsSync(file)) throw invalid("there is no such file");
  const { environment } = (await import(pathToFileURL(resolve(file)).href)) as { environment?: unknown };
  if (typeof environment !== "function") throw invalid("it exports no function `environment`");
  return (stack) => {
    const made = (environment as (stack: StackProps) => unknown)(stack);
    if (Environment.isInstance(made)) return made;
    throw invalid("its function `environment` returns no Environment");
  };
}

/** What is named on the command line is relative to where it is typed. */
function configOf(context: Context, options: BlueprintOption): StackConfig {
  return {
    ...readStackFile(context.stackFile),
    ...(options.blueprint !== undefined && { blueprint: resolve(options.blueprint) }),
    ...(options.overlay !== undefined && { overlay: resolve(options.overlay) }),
    ...(options.target !== undefined && { target: options.target }),
  };
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

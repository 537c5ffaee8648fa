import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { problemsError, type Catalogue } from "../blueprint/index.ts";
import type { Environment } from "../constructs/index.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { examineStackFile, type StackConfig } from "../pulumi/stack-config.ts";
import { environmentOfStack } from "../pulumi/stack-environment.ts";
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
  const written = readStackFile(context.stackFile) ?? {};
  // What is named on the command line is relative to where it is typed.
  const config: StackConfig = {
    ...written,
    ...(options.blueprint !== undefined && { blueprint: resolve(options.blueprint) }),
    ...(options.overlay !== undefined && { overlay: resolve(options.overlay) }),
    ...(options.target !== undefined && { target: options.target }),
  };
  const catalogue = loadCatalogue();
  const blueprint = config.blueprint === undefined ? blueprintFile(context, undefined) : "";
  const { stack: environment, project, directory: folder } = context;
  return {
    environment: environmentOfStack(config, { environment, project, folder, blueprint, catalogue }),
    catalogue,
    config,
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

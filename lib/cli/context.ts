import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { NacreError } from "../error.ts";

/** Where a command works: which project, which environment, which blueprint. Nothing here is created. */
export interface Context {
  /** The folder of Pulumi.yaml, or the current one. */
  readonly directory: string;
  /** Pulumi's project name. */
  readonly project: string;
  /** The environment, which is a Pulumi stack. */
  readonly stack: string;
}

/** Options that every command of an environment takes. */
export interface StackOption {
  readonly stack?: string;
}

const fallbackProject = "nacre";

export function contextOf(options: StackOption): Context {
  const directory = projectDirectory(process.cwd());
  return {
    directory: directory ?? process.cwd(),
    project: directory === undefined ? fallbackProject : projectName(directory),
    stack: options.stack ?? process.env["NACRE_STACK"] ?? "dev",
  };
}

function projectDirectory(from: string): string | undefined {
  if (existsSync(join(from, "Pulumi.yaml"))) return from;
  const parent = dirname(from);
  return parent === from ? undefined : projectDirectory(parent);
}

function projectName(directory: string): string {
  const file = join(directory, "Pulumi.yaml");
  const settings: unknown = parse(readFileSync(file, "utf8"));
  if (
    typeof settings === "object" &&
    settings !== null &&
    "name" in settings &&
    typeof settings.name === "string"
  )
    return settings.name;
  throw new NacreError({
    code: "project_invalid",
    subject: file,
    message: "has no project name",
    hint: "add name: my-project",
  });
}

/** The blueprint that a command means: the one named, else `blueprint.yaml` here, else the example of a checkout. */
export function blueprintFile(context: Context, named: string | undefined): string {
  if (named !== undefined) return resolve(named);
  const candidates = ["blueprint.yaml", "stacks/blueprint.yaml"].map((file) => join(context.directory, file));
  const found = candidates.find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new NacreError({
    code: "blueprint_missing",
    subject: context.directory,
    message: "holds no blueprint.yaml",
    hint: "name one with --blueprint FILE, or make one with nacre init",
  });
}

/** `assistant` is the environment's; `prod/assistant` is another's. */
export const sandboxId = (context: Context, name: string): string =>
  name.includes("/") ? name : `${context.stack}/${name}`;

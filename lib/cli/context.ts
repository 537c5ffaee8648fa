import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { NacreError } from "../error.ts";

/** Where a command works: which project, which environment, which blueprint. Nothing here is created. */
export interface Context {
  /** The folder of Pulumi.yaml, or the current one. */
  readonly directory: string;
  /** Pulumi's project name. */
  readonly project: string;
  /** The environment, which is a Pulumi stack. */
  readonly stack: string;
  /** Where Pulumi.yaml says that the state lives; a relative `file://` starts at its folder. */
  readonly backend?: string;
}

/** Options that every command of an environment takes. */
export interface StackOption {
  readonly stack?: string;
}

const fallbackProject = "nacre";

export function contextOf(options: StackOption): Context {
  const directory = projectDirectory(process.cwd());
  const stack = options.stack ?? process.env["NACRE_STACK"] ?? "dev";
  if (directory === undefined) return { directory: process.cwd(), project: fallbackProject, stack };
  const { name, backend } = readProject(directory);
  return { directory, project: name, stack, ...(backend !== undefined && { backend }) };
}

function projectDirectory(from: string): string | undefined {
  if (existsSync(join(from, "Pulumi.yaml"))) return from;
  const parent = dirname(from);
  return parent === from ? undefined : projectDirectory(parent);
}

const projectSchema = z.object({ name: z.string(), backend: z.object({ url: z.string() }).optional() });

/** What of Pulumi.yaml is ours to know; the engine reads the rest. */
function readProject(directory: string): { readonly name: string; readonly backend: string | undefined } {
  const file = join(directory, "Pulumi.yaml");
  const settings = projectSchema.safeParse(parse(readFileSync(file, "utf8")));
  if (!settings.success)
    throw new NacreError({
      code: "project_invalid",
      subject: file,
      message: "has no project name, or a backend without url",
      hint: "add name: my-project",
    });
  const { name, backend } = settings.data;
  const local = /^file:\/\/(?!\/|~)(.*)$/.exec(backend?.url ?? "")?.[1];
  return {
    name,
    backend: local === undefined ? backend?.url : pathToFileURL(resolve(directory, local)).href,
  };
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

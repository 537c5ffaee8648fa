import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { NacreError } from "../error.ts";

/** Where a command works: which project, which environment, which blueprint. Nothing here is created. */
export interface Context {
  /** The nearest folder with a Pulumi.yaml, else with a blueprint.yaml, else the current one. */
  readonly directory: string;
  /** Pulumi's project name; without a Pulumi.yaml, the folder's. */
  readonly project: string;
  /** The environment, which is a Pulumi stack. */
  readonly stack: string;
  /** Somebody named the stack: it is not the usual one. */
  readonly isNamed: boolean;
  /** Where Pulumi.yaml says that the state lives; a relative `file://` starts at its folder. */
  readonly backend?: string;
  /** The stack's own file, where there would be one. */
  readonly stackFile: string;
  /** Pulumi's own program, where Pulumi.yaml names one. */
  readonly main?: string;
}

/** Options that every command of an environment takes. */
export interface StackOption {
  readonly stack?: string;
}

/** @param from the folder that a command is about: where it is called, unless it names a file of another */
export function contextOf(options: StackOption, from = process.cwd()): Context {
  const named = options.stack ?? process.env["NACRE_STACK"];
  const [stack, isNamed] = [named ?? "dev", named !== undefined];
  const directory = nearestWith("Pulumi.yaml", from);
  if (directory === undefined) {
    const folder = nearestWith("blueprint.yaml", from) ?? from;
    // Two folders are two projects: neither takes the other's sandboxes down.
    return {
      directory: folder,
      project:
        basename(folder)
          .replaceAll(/[^A-Za-z0-9_.-]+/g, "-")
          .replace(/^[^A-Za-z0-9]+/, "") || "nacre",
      stack,
      isNamed,
      stackFile: join(folder, `Pulumi.${stack}.yaml`),
    };
  }
  const { name, backend, stackConfigDir = ".", main } = readProject(directory);
  const stackFile = join(directory, stackConfigDir, `Pulumi.${stack}.yaml`);
  return {
    directory,
    project: name,
    stack,
    isNamed,
    stackFile,
    ...(backend !== undefined && { backend }),
    ...(main !== undefined && { main }),
  };
}

/** The stacks that have a file of their own in a folder. */
export const stacksIn = (folder: string): string[] =>
  (existsSync(folder) ? readdirSync(folder) : []).flatMap(
    (name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [],
  );

function nearestWith(file: string, from: string): string | undefined {
  if (existsSync(join(from, file))) return from;
  const parent = dirname(from);
  return parent === from ? undefined : nearestWith(file, parent);
}

const projectSchema = z.object({
  name: z.string(),
  backend: z.object({ url: z.string() }).optional(),
  stackConfigDir: z.string().optional(),
  main: z.string().optional(),
});

interface Project {
  readonly name: string;
  readonly backend: string | undefined;
  readonly stackConfigDir: string | undefined;
  readonly main: string | undefined;
}

/** What of Pulumi.yaml is ours to know; the engine reads the rest. */
function readProject(directory: string): Project {
  const file = join(directory, "Pulumi.yaml");
  const settings = projectSchema.safeParse(parse(readFileSync(file, "utf8")));
  if (!settings.success)
    throw new NacreError({
      code: "project_invalid",
      subject: file,
      message: "has no project name, or a backend without url",
      hint: "add name: my-project",
    });
  const { name, backend, stackConfigDir, main } = settings.data;
  const local = /^file:\/\/(?!\/|~)(.*)$/.exec(backend?.url ?? "")?.[1];
  return {
    name,
    stackConfigDir,
    main,
    backend: local === undefined ? backend?.url : pathToFileURL(resolve(directory, local)).href,
  };
}

/**
 * The blueprint that a command means: the one named, else `blueprint.yaml` here, else the example of a checkout.
 * @param hint what to do where there is none
 */
export function blueprintFile(context: Context, named: string | undefined, hint: string): string {
  if (named !== undefined) return resolve(named);
  const candidates = ["blueprint.yaml", "stacks/blueprint.yaml"].map((file) => join(context.directory, file));
  const found = candidates.find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new NacreError({
    code: "blueprint_missing",
    subject: context.directory,
    message: "holds no blueprint.yaml",
    hint,
  });
}

/** `assistant` is the environment's; `prod/assistant` is another's. */
export const sandboxId = (context: Context, name: string): string =>
  name.includes("/") ? name : `${context.stack}/${name}`;

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Environment } from "../constructs/index.ts";
import { NacreError } from "../error.ts";
import type { Program, StackProps } from "../pulumi/stack-environment.ts";

/**
 * What a team's own module exports as `environment`.
 * @throws NacreError `program_invalid`, `program_failed`
 */
export async function programIn(file: string): Promise<Program> {
  const invalid = (message: string): NacreError =>
    new NacreError({
      code: "program_invalid",
      subject: file,
      message,
      hint: "export function environment(stack: StackProps): Environment { … }",
    });
  if (!existsSync(file)) throw invalid("there is no such file");
  const { environment } = (await import(pathToFileURL(resolve(file)).href).catch((error: unknown) => {
    throw failureOf(file, error);
  })) as { environment?: unknown };
  if (typeof environment !== "function") throw invalid("it exports no function `environment`");
  return (stack) => {
    const made = (environment as (stack: StackProps) => unknown)(stack);
    if (Environment.isInstance(made)) return made;
    throw invalid("its function `environment` returns no Environment");
  };
}

/**
 * Does what runs the program's own code: its function, and what its constructs and aspects do at synthesis.
 * @param file undefined where a blueprint is in the program's place
 * @throws NacreError `program_failed`, where it is the program that fails
 */
export function inProgram<T>(file: string | undefined, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (file === undefined) throw error;
    throw placeIn(file, error) === undefined ? error : failureOf(file, error);
  }
}

function failureOf(file: string, error: unknown): unknown {
  if (NacreError.isInstance(error)) return error;
  return new NacreError(
    {
      code: "program_failed",
      subject: placeIn(file, error) ?? file,
      message: error instanceof Error ? `${error.name}: ${error.message}` : `it throws ${String(error)}`,
      hint: "mend it there; it is run as node runs it",
    },
    { cause: error },
  );
}

/** Where it is thrown or does not parse, as `file:line:column`: the innermost place in the program's folder. */
function placeIn(file: string, error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const folder = dirname(resolve(file));
  const places = (error.stack ?? "").matchAll(/(?:file:\/\/)?(\/[^\n()]*?):(\d+(?::\d+)?)(?=\)?$)/gm);
  for (const [, path = "", at = ""] of places) {
    if (path.startsWith(`${folder}/`) && !path.includes("/node_modules/")) return `${path}:${at}`;
  }
  return undefined;
}

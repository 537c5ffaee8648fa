import { realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { NacreError } from "../error.ts";
import type { Operator } from "./operator.ts";
import { cacheDirectory } from "./paths.ts";

/** What a folder that is shown inside may neither be, nor hold, nor lie in. */
export interface Kept {
  readonly state: string;
  readonly operator: Pick<Operator, "file" | "secrets">;
}

/**
 * The folder's real path, where an agent may see it. A home holds keys and tokens; Nacre's own files decide what an agent
 * may do; a mapped secret's file is a secret.
 * @throws NacreError `folder_refused`
 */
export function runFolder(folder: string, { state, operator }: Kept): string {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) throw refused(folder, "there is no such folder", "name a folder");
  const real = realpathSync(folder);
  const home = realOf(homedir());
  if (contains(real, home)) throw refused(folder, "it is or holds your home", "run it in a folder below it");
  const own = [state, dirname(operator.file), cacheDirectory()].map(realOf);
  const secrets = Object.values(operator.secrets).flatMap(({ file }) =>
    file === undefined
      ? []
      : [realOf(file.startsWith("~/") ? join(homedir(), file.slice(2)) : resolve(file))],
  );
  if (own.some((path) => contains(real, path) || contains(path, real)))
    throw refused(folder, "Nacre's own configuration, state or cache is there", "run it in another folder");
  if (secrets.some((path) => contains(real, path)))
    throw refused(
      folder,
      "the file of a mapped secret is in it",
      "move that file, or run it in another folder",
    );
  return real;
}

const contains = (outer: string, inner: string): boolean => {
  const way = relative(outer, inner);
  return way === "" || !(way === ".." || way.startsWith("../") || isAbsolute(way));
};

/** Links followed, as far as the path exists. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

const refused = (folder: string, message: string, hint: string): NacreError =>
  new NacreError({ code: "folder_refused", subject: folder, message, hint });

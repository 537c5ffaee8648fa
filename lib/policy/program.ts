import { type Glob, glob, globProblem } from "./glob.ts";
import type { Problem } from "./problem.ts";

/** What is wrong with a `binaries` path, if anything: it is absolute, in its shortest form, and only stars are special. */
export function programProblem(path: string): Problem | undefined {
  if (!path.startsWith("/")) {
    return { reason: `"${path}" is not absolute`, fix: "write the executable's whole path: /usr/bin/git" };
  }
  if (path.length > 4096)
    return { reason: "longer than 4096 characters", fix: "no path can match it: shorten it" };
  const special = globProblem(path);
  if (special !== undefined) return special;
  const parts = path.slice(1).split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return { reason: `"${path}" is not in its shortest form`, fix: "write it without //, . and .." };
  }
  return undefined;
}

export const programGlob = (path: string): Glob => glob(path, "/");

import { canonicalPath } from "./canonical-path.ts";
import { globProblem } from "./glob.ts";
import type { Problem } from "./problem.ts";

/** Every path. */
export const everyPath = "**";

/**
 * What is wrong with the pattern of a path, if anything: it is `**` or starts with a slash, only stars are special,
 * and it is in canonical form, since nothing else could ever match a path.
 */
export function pathPatternProblem(pattern: string): Problem | undefined {
  if (pattern === everyPath) return undefined;
  if (!pattern.startsWith("/")) {
    const isPath = /^[\w.~-]/.test(pattern) && pathPatternProblem(`/${pattern}`) === undefined;
    const fix = isPath ? `write /${pattern}` : "write /** for every path";
    return { reason: `"${pattern}" does not start with /`, fix };
  }
  const glob = globProblem(pattern);
  if (glob !== undefined)
    return /^[^[\]{}\\\0]*\?/.test(pattern)
      ? { ...glob, fix: "name what the query may be as query: { NAME: GLOB }" }
      : glob;
  const canonical = canonicalPath(pattern, { encodedSlash: true });
  if (!("path" in canonical))
    return { reason: `"${pattern}" can match no path: ${canonical.reason}`, fix: canonical.fix };
  if (canonical.path === pattern) return undefined;
  return { reason: `"${pattern}" can match no path: paths are canonical`, fix: `write ${canonical.path}` };
}

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
  if (!pattern.startsWith("/"))
    return { reason: `"${pattern}" does not start with /`, fix: "write /** for every path" };
  const glob = globProblem(pattern);
  if (glob !== undefined) return glob;
  const canonical = canonicalPath(pattern, { encodedSlash: true });
  if (!("path" in canonical))
    return { reason: `"${pattern}" can match no path: ${canonical.reason}`, fix: canonical.fix };
  if (canonical.path === pattern) return undefined;
  return { reason: `"${pattern}" can match no path: paths are canonical`, fix: `write ${canonical.path}` };
}

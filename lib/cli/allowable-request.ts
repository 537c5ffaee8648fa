import { NacreError } from "../error.ts";
import { canonicalPath } from "../policy/canonical-path.ts";
import { oneMethodProblem } from "../policy/http-method.ts";

/**
 * One request, as it is decided: its method in upper case, its path canonical.
 * @throws NacreError `usage_request`
 */
export function allowableRequest(method: string, path: string) {
  const refused = (subject: string, message: string, hint: string): NacreError =>
    new NacreError({ code: "usage_request", subject, message, hint });
  const problem = oneMethodProblem(method);
  if (problem !== undefined) throw refused(`--method ${method}`, problem.reason, problem.fix);
  const canonical = canonicalPath(path, { encodedSlash: true });
  if (!("path" in canonical)) throw refused(`--path ${path}`, canonical.reason, canonical.fix);
  if (canonical.path !== path)
    throw refused(`--path ${path}`, "is not what is sent in the end", `write --path ${canonical.path}`);
  return { method: method.toUpperCase(), path };
}

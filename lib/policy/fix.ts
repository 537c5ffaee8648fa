import type { Destination, Fix, HttpRequest } from "./decision.ts";
import { methodProblem } from "./http-method.ts";

/** What `nacre allow` can do: a host and a port, or with the method and path of a request, that one alone. */
export function allowFix(where: Destination, binary: string | undefined, what: HttpRequest = {}): Fix {
  const { method, path } = what;
  const program = binary === undefined ? "" : ` for ${binary}`;
  const { host, port } = where;
  if (method === undefined || path === undefined || methodProblem(method) !== undefined) {
    const text = `allow ${host} on port ${port}${program}: a person can, with nacre allow`;
    return { text, allow: { host, port, binary } };
  }
  const text = `allow ${method} ${shownPath(path)} of ${host} on port ${port}${program}: a person can, with nacre allow`;
  return { text, allow: { host, port, binary, method, path } };
}

export function unblockFix(what: string, argument: string): Fix {
  return { text: `a person lifts the block with nacre unblock ${argument}`, unblock: what };
}

/** A path in a sentence: a long one is cut. */
export const shownPath = (path: string): string => (path.length > 200 ? `${path.slice(0, 199)}…` : path);

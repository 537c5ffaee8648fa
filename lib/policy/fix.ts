import type { Destination, Fix, HttpRequest } from "./decision.ts";
import { methodProblem } from "./http-method.ts";
import { writeQuery } from "./query.ts";

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

/** The same of a request that is refused for its query: that query alone. Nothing of it stands in the text. */
export function allowQueryFix(where: Destination, binary: string | undefined, what: HttpRequest): Fix {
  const { allow } = allowFix(where, binary, what);
  const query = what.query instanceof Map ? writeQuery(what.query) : undefined;
  if (allow?.path === undefined || query === undefined)
    return { text: "a rule that has that query allows it: no single one of its length can be allowed" };
  const program = binary === undefined ? "" : ` for ${binary}`;
  const request = `${allow.method ?? ""} ${shownPath(allow.path)} with that very query`;
  return {
    text: `allow ${request} of ${where.host} on port ${where.port}${program}: a person can, with nacre allow`,
    allow: { ...allow, query },
  };
}

export function unblockFix(what: string, argument: string): Fix {
  return { text: `a person lifts the block with nacre unblock ${argument}`, unblock: what };
}

/** A path in a sentence: a long one is cut. */
export const shownPath = (path: string): string => (path.length > 200 ? `${path.slice(0, 199)}…` : path);

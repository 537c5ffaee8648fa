import type { Problem } from "./problem.ts";

/** Methods of the IANA registry that a rule may name. `CONNECT` is none: a tunnel in a tunnel is never opened. */
const known: ReadonlySet<string> = new Set(
  (
    "GET HEAD OPTIONS POST PUT PATCH DELETE TRACE QUERY PROPFIND PROPPATCH MKCOL MKCALENDAR COPY MOVE LOCK UNLOCK " +
    "REPORT SEARCH ACL LINK UNLINK VERSION-CONTROL CHECKOUT CHECKIN UNCHECKOUT UPDATE LABEL MERGE MKACTIVITY " +
    "MKWORKSPACE BASELINE-CONTROL ORDERPATCH BIND REBIND UNBIND MKREDIRECTREF UPDATEREDIRECTREF"
  ).split(" "),
);

/** What a rule says about methods: a set, in upper case, or all. */
export type Methods = ReadonlySet<string> | "any";

const readOnly = ["GET", "HEAD", "OPTIONS"];

/** OpenShell's presets. `DELETE` is in `full` alone. */
export const accessMethods: Readonly<Record<"read-only" | "read-write" | "full", Methods>> = {
  "read-only": new Set(readOnly),
  "read-write": new Set([...readOnly, "POST", "PUT", "PATCH"]),
  full: "any",
};

/** The methods of a rule on one: `*` is all, and whatever holds for GET holds for HEAD. */
export function methodsOf(written: string): Methods {
  if (written === "*") return "any";
  const method = written.toUpperCase();
  return new Set(method === "GET" ? [method, "HEAD"] : [method]);
}

/** What is wrong with a rule's method, if anything. */
export function methodProblem(written: string): Problem | undefined {
  const method = written.toUpperCase();
  if (method === "*" || known.has(method)) return undefined;
  if (method === "CONNECT")
    return { reason: "CONNECT is never forwarded", fix: "name the host behind it as an endpoint" };
  if (/[,|\s]/.test(written.trim()))
    return { reason: `"${written}" is not a method`, fix: "write a rule for each method, or * for all" };
  return {
    reason: `"${written}" is not a method`,
    fix: "write GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE, or * for all",
  };
}

/** The same where one method is meant: that of a request. */
export const oneMethodProblem = (written: string): Problem | undefined =>
  written === "*"
    ? { reason: '"*" is every method, and no method of a request', fix: "name one: GET" }
    : methodProblem(written);

export const hasMethod = (methods: Methods, method: string): boolean =>
  methods === "any" || methods.has(method);

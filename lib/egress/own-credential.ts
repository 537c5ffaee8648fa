import type { IncomingMessage } from "node:http";
import type { CredentialPosition } from "../policy/decision.ts";
import type { ReadRequest } from "./http-request.ts";
import type { Placeholder } from "./placeholder.ts";

/**
 * A credential by the name of its field or parameter. Wide on purpose: where the egress puts a credential on, a field that
 * looks like another one is refused, and the refusal says which.
 */
const credentialName =
  /auth|token|api[-_]?key|access[-_]?key|secret|passw|pwd|credential|cookie|session|signature|jwt|bearer|(^|[-_.[])(key|sid|sig)($|[-_.\]])/i;

/** Names that look like one and are none: they page, or they tell repeats apart. */
const harmless =
  /^(x-)?idempotency-key$|^authority$|^(page|next|next[-_]?page|continuation|sync|cursor|resume)[-_]?token$/i;

const isCredential = (name: string): boolean => credentialName.test(name) && !harmless.test(name);

/** The first credential of its own that a request brings, named for a person; `undefined`: none. */
export function carriesCredential(message: IncomingMessage, read: ReadRequest): string | undefined {
  return ownCredential(message, read, undefined, undefined);
}

/** The same, where a placeholder may stand at `position`. */
export function ownCredential(
  { rawHeaders }: IncomingMessage,
  { path, search, query }: ReadRequest,
  position: CredentialPosition | undefined,
  placeholder: Placeholder | undefined,
): string | undefined {
  const header =
    position === undefined
      ? undefined
      : "basic" in position
        ? "authorization"
        : "header" in position
          ? position.header.toLowerCase()
          : undefined;
  let seen = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    if (name === header) {
      if (seen || placeholder?.isHeader(value) !== true) return `the header ${name}`;
      seen = true;
    } else if (isCredential(name)) return `the header ${name}`;
  }
  if (query === "unreadable") return "a query that cannot be read";
  for (const [name, values] of query ?? []) {
    if (position !== undefined && "query" in position && name === position.query) {
      if (values.length > 1 || placeholder?.is(values[0] ?? "") !== true) return `the parameter ${name}`;
    } else if (isCredential(name) && values.some((value) => value !== "")) return `the parameter ${name}`;
  }
  if (search !== undefined && query === undefined) return "a query that was not read";
  return position !== undefined && "path" in position
    ? ownInPath(path, position.path, placeholder)
    : undefined;
}

/** Between the two ends of the template stands nothing, or the placeholder. */
function ownInPath(path: string, template: string, placeholder: Placeholder | undefined): string | undefined {
  const [before = "", after = ""] = template.split("{}");
  const at = path.indexOf(before);
  if (at < 0) return undefined;
  const start = at + before.length;
  const next = after === "" ? -1 : path.indexOf(after, start);
  const text = path.slice(start, next < 0 ? path.length : next);
  return text === "" || placeholder?.is(text) === true ? undefined : `the path's part behind ${before}`;
}

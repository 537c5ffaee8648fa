import type { IncomingMessage } from "node:http";
import type { CredentialPosition } from "../policy/decision.ts";
import type { ReadRequest } from "./http-request.ts";
import type { Placeholder } from "./placeholder.ts";

/**
 * A credential by the name of its field or parameter. Wide on purpose: where the egress puts a credential on, a field that
 * looks like another one is refused, and the refusal says which. Parts of names may be apart by anything: PHP reads
 * `api.key` and `api key` as `api_key`.
 */
const credentialName =
  /auth|token|access[^a-z0-9]?key|secret|passw|passphrase|passcode|pwd|credential|cookie|session|sessid|signature|jwt|bearer|assertion|hmac|dpop|key$|(^|[^a-z0-9])(key|sid|sig|sign|sk|ak|pass|otp|pat)($|[^a-z0-9])/i;

/** Of vendors whose names say nothing: Honeycomb's and Artifactory's keys. */
const vendors = /^x-honeycomb-team$|^x-jfrog-art-api$/i;

/** Names that look like one and are none: they page, tell repeats apart, or name things. */
const harmless =
  /^(x-)?idempotency-key$|^authority$|^(project|issue|space)key$|^(page|next|next[-_]?page|continuation|sync|cursor|resume)[-_]?token$/i;

export const isCredential = (name: string): boolean =>
  (credentialName.test(name) || vendors.test(name)) && !harmless.test(name);

/** Whether some server could take one name for the other: `X_Api_Key`, `KEY`, `key[]`. */
export const alike = (name: string, other: string | undefined): boolean =>
  other !== undefined && bare(name) === bare(other);
const bare = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

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
  const inHeader = position !== undefined && ("basic" in position || "header" in position);
  const header = inHeader ? headerOf(position) : undefined;
  const user = position !== undefined && "basic" in position ? position.basic : undefined;
  const parameter = position !== undefined && "query" in position ? position.query : undefined;
  let seen = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    if (name === header) {
      if (seen || placeholder?.isHeader(value, user) !== true) return `the header ${name}`;
      seen = true;
    } else if (isCredential(name) || alike(name, header)) return `the header ${name}`;
  }
  if (query === "unreadable") return "a query that cannot be read";
  for (const [name, values] of query ?? []) {
    if (name === parameter) {
      if (values.length > 1 || placeholder?.is(values[0] ?? "") !== true) return `the parameter ${name}`;
    } else if (alike(name, parameter) || (isCredential(name) && values.some((value) => value !== "")))
      return `the parameter ${name}`;
  }
  if (search !== undefined && query === undefined) return "a query that was not read";
  return position !== undefined && "path" in position
    ? ownInPath(path, position.path, placeholder)
    : undefined;
}

/** A position that is in a header. */
export type InHeader = Extract<CredentialPosition, { header: string } | { basic: string }>;

/** The header that it is in, in lower case. */
export const headerOf = (position: InHeader): string =>
  "basic" in position ? "authorization" : position.header.toLowerCase();

/** Where in a path its credential stands, from `start` up to `end`; `undefined`: the template is for other paths. */
export function slotIn(
  path: string,
  template: string,
): { readonly start: number; readonly end: number } | undefined {
  const [before = "", after = ""] = template.split("{}");
  const at = path.indexOf(before);
  if (at < 0) return undefined;
  const start = at + before.length;
  const next = after === "" ? -1 : path.indexOf(after, start);
  return { start, end: next < 0 ? path.length : next };
}

/** Between the two ends of the template stands nothing, or the placeholder. */
function ownInPath(path: string, template: string, placeholder: Placeholder | undefined): string | undefined {
  const slot = slotIn(path, template);
  if (slot === undefined) return undefined;
  const text = path.slice(slot.start, slot.end);
  const [before = ""] = template.split("{}", 1);
  return text === "" || placeholder?.is(text) === true ? undefined : `the path's part behind ${before}`;
}

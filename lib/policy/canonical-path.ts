import type { Problem } from "./problem.ts";

/** In bytes, before and after: longer ones are refused. */
const LONGEST = 4096;

/** RFC 3986 `pchar` without `;` and `%`: what stands for itself in a segment, however it was written. */
const plainCharacter = /[A-Za-z0-9\-._~!$&'()*+,=:@]/;

/** What is already in canonical form, as most paths are: segments of plain characters that do not start with a dot. */
const canonicalAlready = /^(?:\/[A-Za-z0-9\-_~!$&'()*+,=:@][A-Za-z0-9\-._~!$&'()*+,=:@]*)+\/?$/;

/**
 * The one spelling of a request's path: what is matched is what is forwarded. Never more than one reading: what two
 * servers could take for two paths is a problem. Canonical forms are fixed points.
 *
 * Escapes of characters that need none are decoded (once: `%25` stays), the others are upper-case, characters that
 * need one get it. `;parameters` go, dot segments are resolved, empty segments collapse, a slash at the end stays. An
 * encoded slash is a problem, or with `encodedSlash` stays, where it stands between two names.
 *
 * @param raw the path alone, as it stands in the request line: no scheme, no host, no query
 */
export function canonicalPath(
  raw: string,
  options: { readonly encodedSlash: boolean },
): { readonly path: string } | Problem {
  if (raw.length <= LONGEST && canonicalAlready.test(raw)) return { path: raw };
  const problem = written(raw, options.encodedSlash);
  if (problem !== undefined) return problem;
  const segments: string[] = [];
  let open = false;
  for (const part of raw.slice(1).split("/")) {
    const segment = normalSegment(part.split(";", 1)[0] ?? "");
    open = segment === "" || segment === "." || segment === "..";
    if (segment === ".." && segments.pop() === undefined)
      return { reason: "it climbs above the root", fix: "remove the .. segments" };
    if (open) continue;
    if (segment.includes("%2F") && segment.split("%2F").some(isEmptyOrDots))
      return { reason: "read as a slash, a %2F makes an empty or a dot segment", fix: "remove that %2F" };
    segments.push(segment);
  }
  const path = `/${segments.join("/")}${open && segments.length > 0 ? "/" : ""}`;
  return path.length > LONGEST ? tooLong : { path };
}

const tooLong: Problem = { reason: `longer than ${LONGEST} bytes`, fix: "shorten it" };

const isEmptyOrDots = (name: string): boolean => name === "" || name === "." || name === "..";

/** What is wrong with a path as it is written, before any of it is read. */
function written(raw: string, encodedSlash: boolean): Problem | undefined {
  if (raw.length > LONGEST) return tooLong;
  if (!raw.startsWith("/"))
    return {
      reason: "it does not start with a slash, so it is no path",
      fix: "write it from the root: /a/b",
    };
  if (/[^\x21-\x7e]/.test(raw))
    return {
      reason: "a blank, a control character or one outside ASCII",
      fix: "percent-encode it as UTF-8: %20, %C3%A9",
    };
  if (raw.includes("?")) return { reason: "a query is no part of the path", fix: "remove it from the ? on" };
  if (raw.includes("#")) return { reason: "a fragment is never sent", fix: "remove it from the # on" };
  if (/\\|%5c/i.test(raw))
    return { reason: "a backslash, which some servers read as a slash", fix: "write /" };
  if (/%(?![0-9a-f]{2})/i.test(raw))
    return {
      reason: "a % without two hexadecimal digits behind it",
      fix: "write %25 for the character itself",
    };
  if (/%(?:[01][0-9a-f]|7f)/i.test(raw)) return { reason: "an encoded control character", fix: "remove it" };
  if (!encodedSlash && /%2f/i.test(raw))
    return { reason: "an encoded slash (%2F), which servers read in two ways", fix: "write /" };
  return undefined;
}

/** Escapes decoded where they need not be, in upper case where they must, and added where they are missing. */
function normalSegment(segment: string): string {
  return segment.replace(/%..|["<>[\]^`{|}]/g, (found) => {
    if (found.length === 1) return `%${found.charCodeAt(0).toString(16).toUpperCase()}`;
    const character = String.fromCharCode(Number.parseInt(found.slice(1), 16));
    return plainCharacter.test(character) ? character : found.toUpperCase();
  });
}

import { canonicalPath } from "./canonical-path.ts";
import type { CredentialBinding, CredentialPosition } from "./decision.ts";
import type { Endpoint } from "./language.ts";
import type { Problem } from "./problem.ts";

type Written = NonNullable<Endpoint["credential_binding"]>;
type WrittenPosition = NonNullable<Written["in"]>;

/** Headers that say how a message is carried: a credential in them would change what is sent, not who sends it. */
const framing = new Set(
  (
    "host content-length transfer-encoding connection keep-alive te trailer upgrade expect proxy-connection " +
    "content-type content-encoding"
  ).split(" "),
);

/** What is wrong with where a credential shall go, if anything. */
export function positionProblem(position: WrittenPosition): Problem | undefined {
  const { header, prefix, basic, query, path } = position;
  const given = Object.entries({ header, basic, query, path }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = given.map(([name]) => name).join(" and ");
    const reason = given.length === 0 ? "no place is named" : `${names} are given`;
    return { reason, fix: "write one of header, basic, query and path" };
  }
  if (prefix !== undefined && header === undefined)
    return { reason: "only a header has a prefix", fix: "remove prefix, or write header" };
  if (header !== undefined) return headerProblem(header, prefix);
  if (basic !== undefined && !/^[\x20-\x39\x3b-\x7e]{1,256}$/.test(basic))
    return { reason: "no user of Basic authentication", fix: "write visible ASCII without a colon" };
  if (query !== undefined && !/^[A-Za-z0-9._~[\]-]{1,256}$/.test(query))
    return { reason: "no name of a parameter", fix: "write letters, digits, dots, dashes and underscores" };
  return path === undefined ? undefined : templateProblem(path);
}

function headerProblem(header: string, prefix = ""): Problem | undefined {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/.test(header))
    return { reason: `"${header}" is not the name of a header`, fix: "write, for example, authorization" };
  if (framing.has(header.toLowerCase()))
    return { reason: `${header} says how the message is carried`, fix: "write, for example, authorization" };
  if (!/^[\x20-\x7e]{0,256}$/.test(prefix))
    return { reason: "the prefix is not visible ASCII", fix: 'write, for example, "Bearer "' };
  return undefined;
}

/** `/bot{}/`: canonical, with one place for the credential. */
function templateProblem(path: string): Problem | undefined {
  const fix = "write a canonical path with one {} in it: /bot{}/";
  const parts = path.split("{}");
  if (parts.length !== 2) return { reason: `"${path}" has ${parts.length - 1} places for it`, fix };
  const filled = parts.join("x");
  const canonical = canonicalPath(filled, { encodedSlash: false });
  if (!("path" in canonical)) return { reason: `"${path}" is no path: ${canonical.reason}`, fix };
  if (canonical.path !== filled || filled.includes("*")) return { reason: `"${path}" is not canonical`, fix };
  return undefined;
}

/** What holds of a position and was probably not meant. Of what `positionProblem` accepts. */
export function positionWarning({ prefix = "" }: WrittenPosition): Problem | undefined {
  if (!/[A-Za-z0-9]$/.test(prefix)) return undefined;
  const reason = `the prefix "${prefix}" ends without a blank, and the credential follows at once`;
  return { reason, fix: `write "${prefix} "` };
}

/** The binding as the wire takes it. Of what `positionProblem` accepts. */
export function bindingOf({ provider, in: position }: Written): CredentialBinding {
  return position === undefined ? { provider } : { provider, in: positionOf(position) };
}

/** A position as the wire takes it. Of what `positionProblem` accepts. */
export function positionOf({ header, prefix, basic, query, path }: WrittenPosition): CredentialPosition {
  if (header !== undefined) return { header: header.toLowerCase(), ...(prefix && { prefix }) };
  if (basic !== undefined) return { basic };
  if (query !== undefined) return { query };
  return { path: path ?? "" };
}

/** One text for one meaning, to compare two. */
export function bindingText(written: Written): string {
  const { provider, in: position } = bindingOf(written);
  return JSON.stringify([provider, position ?? null]);
}

import { NacreError } from "../error.ts";
import { parseAddress } from "../policy/address.ts";
import { parseHostPattern } from "../policy/host-pattern.ts";

/** What a person named: the id of something that was refused or allowed, or a host. */
export type Named = { readonly id: string } | { readonly host: string; readonly port?: number };

/** `843e99dc`, `api.example.com`, `api.example.com:8443`, `[2001:db8::1]:443`. @throws NacreError `usage_destination` */
export function named(what: string): Named {
  if (/^[\w-]+$/.test(what)) return { id: what };
  if (parseAddress(what) !== undefined) return { host: hostOf(what) };
  const [, path] = /^(?:[a-z]+:\/\/)?[^/?#]+(\/[^/?#][^?#]*)/.exec(what) ?? [];
  const within = path === undefined ? undefined : hostWithin(what);
  if (within !== undefined)
    throw unusable(what, "is more than a host", `write ${within} --method GET --path ${path}`);
  const [, host = "", digits] = /^(.*?)(?::([0-9]+))?$/.exec(what) ?? [];
  if (host === "")
    throw unusable(what, "is no host and port", "write HOST or HOST:PORT: api.example.com:443");
  if (digits === undefined) return { host: hostOf(host) };
  const port = Number(digits);
  if (port < 1 || port > 65535)
    throw unusable(what, "has no port from 1 to 65535", "write HOST or HOST:PORT: api.example.com:443");
  return { host: hostOf(host), port };
}

/** A name, an address or a pattern in its only spelling. @throws NacreError `usage_destination` */
export function hostOf(written: string): string {
  const pattern = parseHostPattern(written);
  if ("kind" in pattern) return pattern.text;
  const alone = hostWithin(written);
  throw unusable(written, pattern.reason, alone === undefined ? pattern.fix : `write ${alone}`);
}

/** The host of a URL, or of a host with a port or a path: what was meant where a host alone is asked for. */
export function hostWithin(written: string): string | undefined {
  const [, host = ""] =
    /^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/?#:@\s]+)(?::\d+)?(?:[/?#].*)?$/i.exec(written) ?? [];
  const pattern = parseHostPattern(host);
  return host !== written && "kind" in pattern && pattern.kind !== "address" ? pattern.text : undefined;
}

const unusable = (subject: string, message: string, hint: string): NacreError =>
  new NacreError({ code: "usage_destination", subject: subject === "" ? '""' : subject, message, hint });

import { parseAddress, parseCidr, unmapped } from "./address.ts";
import { isLabel, looksNumeric } from "./host-name.ts";
import { type Problem } from "./problem.ts";

/**
 * What a rule's `host` may be: a name, an address, or a pattern whose first label alone has a wildcard:
 * `*.example.com` is exactly one label more, `**.example.com` one or more, `*-api.example.com` one label that ends
 * so. Neither covers `example.com` itself, and a star never crosses a dot: `*foo.com` is no pattern, so
 * `evilfoo.com` cannot match one.
 */
export type HostPattern =
  | { readonly kind: "address"; readonly text: string }
  | { readonly kind: "name"; readonly text: string }
  | { readonly kind: "label"; readonly text: string; readonly first: string; readonly suffix: string }
  | { readonly kind: "deep"; readonly text: string; readonly suffix: string };

/** Reads a pattern. A problem where it is none, or where it would open more than a domain. */
export function parseHostPattern(written: string): HostPattern | Problem {
  const address = parseAddress(written.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined) return { kind: "address", text: unmapped(address).text };
  if (/[^\x00-\x7f]/.test(written)) {
    return {
      reason: `"${written}" is not ASCII`,
      fix: "write the name in punycode (xn--…), as it is looked up",
    };
  }
  const text = (written.endsWith(".") ? written.slice(0, -1) : written).toLowerCase();
  if (/[:/?#@\s]/.test(text)) {
    if (parseCidr(written) !== undefined)
      return { reason: `"${written}" is a block of addresses`, fix: "write it in allowed_ips" };
    return { reason: `"${written}" is more than a host`, fix: "write the name alone, and the port as port:" };
  }
  if (text.length > 253)
    return { reason: "longer than 253 characters", fix: "no name can match it: shorten it" };
  const [first = "", ...rest] = text.split(".");
  const suffix = rest.join(".");
  if (looksNumeric(rest.at(-1) ?? first)) {
    return {
      reason: `"${written}" is neither a name nor an address`,
      fix: "write an IPv4 address as a.b.c.d",
    };
  }
  if (rest.some((label) => label.includes("*"))) {
    return {
      reason: `"${written}" has a wildcard behind the first label`,
      fix: "use one in the first label only",
    };
  }
  if (!first.includes("*")) {
    return [first, ...rest].every(isLabel) ? { kind: "name", text } : malformed(written);
  }
  if (rest.length < 2) {
    return {
      reason: `"${written}" is a whole top-level domain or more`,
      fix: "name at least two labels behind the wildcard: *.example.com",
    };
  }
  if (!rest.every(isLabel)) return malformed(written);
  if (first === "**") return { kind: "deep", text, suffix };
  if (first.includes("**") || !isLabel(first.replaceAll("*", "a"))) return malformed(written);
  return { kind: "label", text, first, suffix };
}

/** For schemas: what is wrong with `written`, if anything. */
export function hostPatternProblem(written: string): Problem | undefined {
  const parsed = parseHostPattern(written);
  return "reason" in parsed ? parsed : undefined;
}

/** The one host that is written, in its normal form; `undefined` where it is none, or a pattern. */
export function exactHost(written: string): string | undefined {
  const parsed = parseHostPattern(written);
  return "kind" in parsed && (parsed.kind === "name" || parsed.kind === "address") ? parsed.text : undefined;
}

function malformed(written: string): Problem {
  return {
    reason: `"${written}" is not a host name`,
    fix: "use letters, digits and dashes: api.example.com",
  };
}

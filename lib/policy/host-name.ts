/**
 * A name as the decision sees it: lower case, no dot at the end, ASCII. `undefined` for what is no host name
 * (RFC 1123 labels, underscores tolerated as resolvers do; at most 253 characters; a last label that is all digits
 * would make it an address to some parsers, so it is none to us).
 */
export function hostName(text: string): string | undefined {
  const name = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  if (name.length === 0 || name.length > 253) return undefined;
  const labels = name.split(".");
  if (!labels.every(isLabel)) return undefined;
  if (looksNumeric(labels[labels.length - 1] ?? "")) return undefined;
  return name;
}

export function isLabel(label: string): boolean {
  return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label);
}

/** `1`, `0x7f`: what `inet_aton` takes for a part of an address (WHATWG URL, "ends in a number"). */
export function looksNumeric(label: string): boolean {
  return /^([0-9]+|0x[0-9a-f]*)$/.test(label);
}

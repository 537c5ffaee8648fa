import type { IncomingMessage } from "node:http";

/** Of one connection, not of the message (RFC 9110, 7.6.1), or framing, which is made anew on the other side. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** Fields that a trailer must not set (RFC 9110, 6.5.1): framing, routing, authentication, and what is decided by heads. */
const headOnly = new Set([
  ...hopByHop,
  "authorization",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "host",
  "location",
  "set-cookie",
]);

/** The fields of a message that go on to the other side, as `[name, value, name, value]`. */
export function forwardedHeaders(message: IncomingMessage, drop?: (name: string) => boolean): string[] {
  const { rawHeaders, headers } = message;
  const named = headers.connection === undefined ? undefined : listed(headers.connection);
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || named?.has(lower) === true || drop?.(lower) === true) continue;
    kept.push(name, rawHeaders[index + 1] ?? "");
  }
  return kept;
}

/** The fields of a chunked message's end that may go on. */
export function forwardedTrailers(
  { rawTrailers }: IncomingMessage,
  drop?: (name: string) => boolean,
): [string, string][] {
  const kept: [string, string][] = [];
  for (let index = 0; index < rawTrailers.length; index += 2) {
    const name = rawTrailers[index] ?? "";
    const lower = name.toLowerCase();
    if (!headOnly.has(lower) && drop?.(lower) !== true) kept.push([name, rawTrailers[index + 1] ?? ""]);
  }
  return kept;
}

/** What `Connection` names as its own (RFC 9110, 7.6.1): but the framing and the host, whose loss would change the message. */
function listed(connection: string): Set<string> | undefined {
  // As nearly everybody writes it; the field itself never goes on.
  if (connection === "keep-alive" || connection === "close") return undefined;
  const names = connection
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  return new Set(names.filter((name) => !["host", "content-length", "content-type", ""].includes(name)));
}

import type { IncomingMessage } from "node:http";
import { parseAddress } from "../policy/address.ts";
import { canonicalPath } from "../policy/canonical-path.ts";
import type { Destination, HttpRequest, Query } from "../policy/decision.ts";
import { hostName } from "../policy/host-name.ts";
import { readQuery } from "../policy/query.ts";

/** A request that has one meaning only, and how its body is framed. */
export interface ReadRequest extends HttpRequest {
  readonly method: string;
  /** Canonical: what is matched, and what is forwarded. */
  readonly path: string;
  /** As it came, without the question mark; `undefined`: none. */
  readonly search: string | undefined;
  readonly body: "none" | "length" | "chunked";
}

/** Why a request is not taken for one. */
export interface RequestFault {
  /** The answer's status. */
  readonly status: number;
  readonly reason: string;
}

/**
 * What Node's parser (llhttp, strict) lets through and two readers could still take for different things: answered
 * with 4xx, never forwarded. Bare LF, folded lines, spaces around names, two lengths, a length beside chunks and
 * malformed chunks the parser refuses itself (RFC 9112, 2.2, 5, 6.3, 7.1).
 */
export function readRequest(
  message: IncomingMessage,
  where: Destination,
  secure: boolean,
): ReadRequest | RequestFault {
  const { method = "", url = "" } = message;
  if (message.httpVersion !== "1.1")
    return fault(505, `HTTP/${message.httpVersion} is not served; HTTP/1.1 is`);
  const framing = framingOf(message);
  if (typeof framing !== "string") return framing;
  const misdirected = hostFault(message, where, secure);
  if (misdirected !== undefined) return misdirected;
  if (!url.startsWith("/")) return fault(400, "the request target is not a path");
  const mark = url.indexOf("?");
  const search = mark < 0 ? undefined : url.slice(mark + 1);
  if (url.includes("#")) return fault(400, "the request target has a fragment");
  const canonical = canonicalPath(mark < 0 ? url : url.slice(0, mark), { encodedSlash: true });
  if ("reason" in canonical) return fault(400, `the path cannot be taken: ${canonical.reason}`);
  const query = readQuery(search ?? "");
  const other = otherRequest(message, query);
  if (other !== undefined) return fault(400, `${other} would make it another request than it is`);
  return { method, path: canonical.path, query, search, body: framing };
}

/** Fields that frameworks take a request's method from; and its path, behind IIS and in older PHP ones. */
const methodFields = new Set(["x-http-method-override", "x-http-method", "x-method-override"]);
const pathFields = new Set(["x-original-url", "x-rewrite-url"]);

/** What would have the origin do something else than the method and the path say, which is what was decided. */
function otherRequest({ method = "", headers }: IncomingMessage, query: Query): string | undefined {
  const isOther = (written: unknown): boolean =>
    typeof written === "string" && written.toUpperCase() !== method;
  let field: string | undefined;
  for (const name in headers) {
    if (!name.startsWith("x")) continue;
    // CGI and its heirs (WSGI, Rack) read an underscore as a dash.
    const read = name.replaceAll("_", "-");
    if (pathFields.has(read) || (methodFields.has(read) && isOther(headers[name]))) field ??= name;
  }
  if (field !== undefined) return `the field ${field}`;
  const named = query === "unreadable" ? [] : (query.get("_method") ?? []);
  return named.some(isOther) ? "the parameter _method" : undefined;
}

function framingOf(message: IncomingMessage): ReadRequest["body"] | RequestFault {
  const coding = message.headers["transfer-encoding"];
  if (coding !== undefined) {
    // RFC 9112, 6.1: whoever does not know another coding would frame the body differently.
    return coding.toLowerCase() === "chunked"
      ? "chunked"
      : fault(501, `the transfer coding ${coding} is not served`);
  }
  const length = message.headers["content-length"];
  return length === undefined || /^0+$/.test(length) ? "none" : "length";
}

/** RFC 9112, 3.2: exactly one Host, and here the very name that was connected to. */
function hostFault(message: IncomingMessage, where: Destination, secure: boolean): RequestFault | undefined {
  const raw = message.rawHeaders;
  let hosts = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  const written = message.headers.host;
  if (hosts !== 1 || written === undefined) return fault(400, hosts === 0 ? "no Host" : "more than one Host");
  const plain = secure ? 443 : 80;
  const meant = where.port === plain ? where.host : `${where.host}:${where.port}`;
  // As nearly all clients write it; an IPv6 address has brackets.
  if (written === meant && !where.host.includes(":")) return undefined;
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::([0-9]{1,5}))?$/.exec(written);
  const [, name = "", port] = match ?? [];
  const literal = parseAddress(name.replace(/^\[(.*)\]$/, "$1"));
  const host = literal?.text ?? hostName(name);
  if (host !== where.host || (port === undefined ? plain : Number(port)) !== where.port) {
    return fault(421, `the connection is for ${meant}, and the request for another host`);
  }
  return undefined;
}

const fault = (status: number, reason: string): RequestFault => ({ status, reason });

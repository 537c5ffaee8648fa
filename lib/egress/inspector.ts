import http from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { NacreError } from "../error.ts";
import { decide } from "../policy/decide.ts";
import type { Caller, Carried, Denied, Destination } from "../policy/decision.ts";
import { denialBody } from "../policy/denial.ts";
import { readQuery } from "../policy/query.ts";
import { Refused } from "../policy/refused.ts";
import type { Audit } from "./audit.ts";
import type { AuditEvent } from "./audit-record.ts";
import type { Credentials, Lacking } from "./credentials.ts";
import { type Carrying, forward } from "./forward.ts";
import { readRequest, type ReadRequest } from "./http-request.ts";
import { limits } from "./limits.ts";
import type { LivePolicy } from "./live-policy.ts";
import type { Origins } from "./origins.ts";
import { answer, ended, send, type Turn } from "./own-answer.ts";
import { isCredential } from "./own-credential.ts";
import { tightened } from "./tightened.ts";
import type { Tunnels } from "./tunnels.ts";

/** One connection of an agent whose requests are decided one by one. */
export interface Inspected {
  readonly where: Destination;
  readonly who: Caller;
  /** TLS was terminated. */
  readonly secure: boolean;
  /** Why the origin cannot be had, found before the first request: each request is answered with it. */
  readonly broken: Error | undefined;
}

/** What the audit says of a request, beside whose it was and what it asked for. */
type Said = Pick<AuditEvent, "verdict" | "rule" | "layer" | "reason" | "fix">;

/** Where an inspected connection stands: requests are served one after the other, in the order that they came. */
interface Standing {
  readonly inspected: Inspected;
  /** The answer under way. */
  current: http.ServerResponse | undefined;
  readonly waiting: Turn[];
  /** The last answer is out, or on its way. */
  closing: boolean;
}

export interface InspectorParts {
  /** `environment/name`, as the operator's file has it. */
  readonly sandbox: string;
  readonly policy: LivePolicy;
  readonly tunnels: Tunnels;
  readonly audit: Audit;
  readonly credentials: Credentials;
  readonly origins: Origins;
}

/**
 * Reads each request of an inspected connection strictly, decides it, and carries it on a connection of the egress' own.
 * Nothing of the agent's framing goes on: heads and bodies are written anew.
 */
export class Inspector {
  readonly #parts: InspectorParts;
  readonly #server: http.Server;
  readonly #connections = new WeakMap<Duplex, Standing>();

  constructor(parts: InspectorParts) {
    this.#parts = parts;
    this.#server = http.createServer(
      {
        maxHeaderSize: limits.headBytes,
        headersTimeout: limits.headMs,
        // A body may take as long as it flows: silence ends it.
        requestTimeout: 0,
        connectionsCheckingInterval: limits.headMs / 4,
        keepAliveTimeout: limits.agentIdleMs,
        requireHostHeader: false,
        insecureHTTPParser: false,
        noDelay: true,
      },
      (request, response) => this.#queue({ request, response, begin: "now" }),
    );
    this.#server.timeout = limits.answerMs;
    this.#server.maxRequestsPerSocket = 0;
    this.#server
      .on("checkContinue", (request, response) => this.#queue({ request, response, begin: "continue" }))
      .on("checkExpectation", (request, response) => this.#unmet(request, response))
      .on("upgrade", (request, socket) => this.#refuseUpgrade(request, socket))
      .on("connect", (request, socket) => this.#refuseUpgrade(request, socket))
      .on("clientError", (error, socket) => this.#malformed(error, socket));
    // The time for a head is kept by a check that Node starts at `listening`; this server is given its connections.
    this.#server.emit("listening");
  }

  /** Serves `socket` until its end. */
  async serve(socket: net.Socket, inspected: Inspected): Promise<void> {
    this.#connections.set(socket, { inspected, current: undefined, waiting: [], closing: false });
    const { promise, resolve } = Promise.withResolvers<undefined>();
    socket.once("close", () => resolve(undefined));
    if (socket.destroyed) return;
    this.#server.emit("connection", socket);
    // It was paused when its first bytes were read.
    socket.resume();
    await promise;
  }

  /** A pipelined request waits for the answer to the one before: what an agent sends in order happens in order. */
  #queue(turn: Turn): void {
    const standing = this.#connections.get(turn.request.socket);
    if (standing === undefined || standing.closing || standing.waiting.length >= limits.pipelined) {
      turn.request.socket.destroy();
      return;
    }
    if (standing.current !== undefined) {
      standing.waiting.push(turn);
      return;
    }
    this.#serve(turn, standing);
  }

  #serve(turn: Turn, standing: Standing): void {
    const { request, response } = turn;
    const { inspected } = standing;
    standing.current = response;
    response.on("close", () => {
      standing.current = undefined;
      const next = standing.waiting.shift();
      if (next !== undefined && !request.socket.destroyed) this.#serve(next, standing);
    });
    response.sendDate = false;
    const { where, who, secure, broken } = inspected;
    const read = readRequest(request, where, secure);
    if ("status" in read) {
      standing.closing = true;
      this.#fault(response, inspected, read.status, read.reason);
      return;
    }
    const decision = decide(this.#parts.policy.current, who, where, read);
    if (decision.verdict === "deny") {
      this.#refuse(turn, inspected, read, decision);
      return;
    }
    if (broken !== undefined) {
      // The next connection tries again.
      response.shouldKeepAlive = false;
      standing.closing = true;
      this.#unreachable(turn, inspected, read, broken);
      return;
    }
    // Whatever goes wrong here ends this connection, and not the egress.
    this.#carry(turn, inspected, read, decision).catch(() => request.socket.destroy());
  }

  async #carry(turn: Turn, inspected: Inspected, read: ReadRequest, decision: Carried): Promise<void> {
    const { request, response, begin } = turn;
    const { policy, tunnels, credentials, origins } = this.#parts;
    const { where, who, secure } = inspected;
    const dressed = credentials.dress(request, read, decision, { ...where, secure });
    if ("verdict" in dressed) {
      this.#refuse(turn, inspected, read, dressed);
      return;
    }
    if ("lacking" in dressed) {
      this.#lacking(turn, inspected, read, dressed);
      return;
    }
    const origin = origins.to(where, secure, decision.within);
    this.#write(inspected, read, decision, "beforehand");
    const carrying: Carrying = { upstream: undefined, isCut: false };
    const forget = tunnels.add({
      denied: () => {
        const now = decide(policy.current, who, where, read);
        if (now.verdict === "deny") return now;
        const anew = credentials.dress(request, read, now, { ...where, secure });
        if ("verdict" in anew) return anew;
        return tightened(decision, now, where, carrying.upstream?.socket?.remoteAddress);
      },
      cut: (denied) => {
        this.#write(inspected, read, denied);
        carrying.isCut = true;
        carrying.upstream?.destroy();
        request.socket.destroy();
      },
    });
    try {
      await forward({ request, response, read, origin, where, secure, dressed, begin, carrying });
    } catch (error) {
      if (!carrying.isCut) this.#unreachable(turn, inspected, read, error);
    } finally {
      forget();
    }
  }

  #refuse(turn: Turn, inspected: Inspected, read: ReadRequest, denied: Denied): void {
    this.#write(inspected, read, denied);
    const { where, who } = inspected;
    void answer(turn, 403, denialBody(denied, where, who));
  }

  #write(
    { where, who }: Inspected,
    { method, path }: ReadRequest,
    { verdict, rule, layer, reason, fix }: Said,
    when: "now" | "beforehand" = "now",
  ): void {
    this.#parts.audit.write(
      {
        kind: "request",
        verdict,
        ...where,
        ...who,
        rule,
        method,
        path: shortened(path),
        layer,
        reason,
        fix: sayable(fix),
      },
      when,
    );
  }

  /** What cannot be read is refused, and so is all that follows it on that connection. */
  #fault(response: http.ServerResponse, { where, who }: Inspected, status: number, reason: string): void {
    this.#unread(where, who, reason);
    response.shouldKeepAlive = false;
    send(response, status, { error: "request_malformed", detail: `${where.host}:${where.port}: ${reason}` });
  }

  #lacking(turn: Turn, inspected: Inspected, read: ReadRequest, lacking: Lacking): void {
    const { lacking: reason, secret } = lacking;
    const { host, port } = inspected.where;
    const place = port === 443 ? host : `${host}:${port}`;
    const user = `--for ${place} --use ${this.#parts.sandbox}`;
    const fix = {
      text: `nacre status says why; a person maps it: nacre secret set ${secret} … ${user}, or, where nacre secret list shows it: nacre secret allow ${secret} ${user}`,
    };
    this.#write(inspected, read, { verdict: "failed", layer: "credential", reason, fix });
    void answer(turn, 503, { error: "credential_unavailable", detail: reason, next_steps: [fix.text] });
  }

  #unreachable(turn: Turn, inspected: Inspected, read: ReadRequest, error: unknown): void {
    if (error instanceof Refused) {
      this.#refuse(turn, inspected, read, error.denied);
      return;
    }
    const known = error instanceof NacreError;
    const reason = known ? error.message : `the origin broke off: ${(error as Error).message}`;
    const fix = {
      text: (known ? error.hint : undefined) ?? "it is allowed; look from this host whether it answers",
    };
    this.#write(inspected, read, { verdict: "failed", layer: "upstream", reason, fix });
    void answer(turn, 502, { error: "upstream_failed", detail: reason, next_steps: [fix.text] });
  }

  /** What came is no request that could be decided. */
  #unread(where: Destination, who: Caller, reason: string): void {
    const said = { layer: "http", reason, fix: speakHttp };
    this.#parts.audit.write({ kind: "request", verdict: "deny", ...where, ...who, ...said });
  }

  /** RFC 9110, 10.1.1: what is expected and not known is refused. */
  #unmet(request: http.IncomingMessage, response: http.ServerResponse): void {
    const standing = this.#connections.get(request.socket);
    if (standing === undefined) {
      request.socket.destroy();
      return;
    }
    const { where, who } = standing.inspected;
    const reason = "an Expect that is not 100-continue";
    if (standing.current !== undefined) {
      this.#unread(where, who, reason);
      request.socket.destroy();
      return;
    }
    standing.closing = true;
    this.#fault(response, standing.inspected, 417, reason);
  }

  /** Neither a tunnel nor another protocol can be decided request by request: neither begins. */
  #refuseUpgrade(request: http.IncomingMessage, socket: Duplex): void {
    const standing = this.#connections.get(request.socket);
    socket.on("error", () => undefined);
    if (standing !== undefined) {
      const { where, who } = standing.inspected;
      const to =
        request.method === "CONNECT" ? "a tunnel inside the connection" : `a change to another protocol`;
      const reason = `${to}, where requests are inspected`;
      this.#unread(where, who, reason);
      if (standing.current !== undefined) {
        // Its answer would stand in another's.
        ended(socket);
        return;
      }
      const body = JSON.stringify(
        denialBody({ verdict: "deny", layer: "http", reason, fix: speakHttp }, where, who),
      );
      socket.write(
        `HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
    ended(socket);
  }

  #malformed(error: Error & { code?: string }, socket: Duplex): void {
    const standing = this.#connections.get(socket);
    const { code = error.message } = error;
    // An agent that hung up; what follows `Connection: close`; more of what was answered already.
    if (standing === undefined || code === "ECONNRESET" || code === "EPIPE") {
      socket.destroy();
      return;
    }
    if (standing.closing || (code === "HPE_CLOSED_CONNECTION" && standing.current !== undefined)) return;
    standing.closing = true;
    const reason = parserReasons[code] ?? `what came is no HTTP/1.1 (${code})`;
    const { where, who } = standing.inspected;
    this.#unread(where, who, reason);
    if (standing.current?.headersSent === true || !socket.writable) {
      socket.destroy();
      return;
    }
    const status = code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
    socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    ended(socket);
  }
}

/** A query is kept for a person to allow it, and not where it may hold a secret of the agent's. */
function sayable(fix: Said["fix"]): Said["fix"] {
  if (fix?.allow?.query === undefined) return fix;
  const query = readQuery(fix.allow.query);
  if (query !== "unreadable" && ![...query.keys()].some(isCredential)) return fix;
  return { text: "a rule that has that query allows it; it may hold a secret, and so is not kept" };
}

const speakHttp = { text: "send HTTP/1.1 requests as RFC 9112 has them" };

const parserReasons: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: `a head longer than ${limits.headBytes / 1024} KiB`,
  HPE_PAUSED_H2_UPGRADE: "HTTP/2 in an inspected connection",
  ERR_HTTP_REQUEST_TIMEOUT: `no whole head within ${limits.headMs / 1000} s`,
};

/** An audit record is one line; a path may have 4 KiB. */
const shortened = (path: string): string => (path.length > 1024 ? `${path.slice(0, 1023)}…` : path);

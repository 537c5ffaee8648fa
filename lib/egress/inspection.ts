import type net from "node:net";
import type { Caller, Carried, Denied } from "../policy/decision.ts";
import { Refused } from "../policy/refused.ts";
import { acceptTls, HandshakeFailed } from "./agent-tls.ts";
import type { Audit } from "./audit.ts";
import type { Captured } from "./captured.ts";
import type { FirstBytes } from "./client-hello.ts";
import { openingFault, readOpening } from "./first-bytes.ts";
import type { Inspector } from "./inspector.ts";
import type { Leaves } from "./leaves.ts";
import { limits } from "./limits.ts";
import type { Origin } from "./origin.ts";
import type { Origins } from "./origins.ts";
import { Unreachable } from "./unreachable.ts";

export interface InspectionParts {
  readonly origins: Origins;
  readonly inspector: Inspector;
  readonly leaves: Leaves;
  readonly audit: Audit;
}

/**
 * An inspected connection, from its first bytes to its end: the ClientHello is read, the origin is dialled and verified,
 * then the agent's own handshake is answered, then its requests are served.
 */
export class Inspection {
  readonly #parts: InspectionParts;

  constructor(parts: InspectionParts) {
    this.#parts = parts;
  }

  /** @param cut rejects once the policy denies the connection */
  async carry(captured: Captured, who: Caller, decision: Carried, cut: Promise<never>): Promise<void> {
    const { agent, where, settled } = captured;
    const { bytes, is } = await readOpening(agent, limits.helloMs);
    if (is.kind === "more" && bytes.length === 0) {
      agent.destroy();
      return;
    }
    const fault =
      openingFault(is, decision.rule, where, where.port === 443) ?? protocolFault(is, decision.rule);
    if (fault !== undefined) throw new Refused(fault, where);
    const secure = is.kind === "hello";
    const origin = this.#parts.origins.to(where, secure, decision.within);
    const broken = await Promise.race([problemOf(origin), cut]);
    // What was dialled is told, also where nobody waits for it any more.
    if (agent.destroyed) throw broken ?? new Unreachable(where.host, "given up: the agent is gone");
    settled();
    agent.unshift(bytes);
    const serving = this.#serve(agent, { where, who, secure, broken }, decision);
    serving.catch(() => undefined);
    try {
      await Promise.race([serving, cut]);
    } finally {
      if (!agent.closed) agent.resetAndDestroy();
    }
  }

  async #serve(
    agent: net.Socket,
    inspected: Parameters<Inspector["serve"]>[1],
    decision: Carried,
  ): Promise<void> {
    const { audit, inspector, leaves } = this.#parts;
    const { where, who, secure } = inspected;
    const known = { ...where, ...who, rule: decision.rule };
    const started = performance.now();
    audit.write({ kind: "connect", verdict: "allow", ...known });
    let socket = agent;
    try {
      if (secure) socket = await acceptTls(agent, where.host, leaves.contextFor(where.host));
      await inspector.serve(socket, inspected);
    } catch (error) {
      if (!(error instanceof HandshakeFailed)) throw error;
      const fix = { text: error.hint ?? "" };
      audit.write({ kind: "connect", verdict: "failed", ...known, layer: "tls", reason: error.message, fix });
    } finally {
      const [sent, received] = [agent.bytesRead, agent.bytesWritten];
      const duration = Math.round(performance.now() - started);
      audit.write({ kind: "close", verdict: "closed", ...known, sent, received, duration });
    }
  }
}

/** What keeps the origin from being had, which the agent is told by an answer to each request. */
async function problemOf(origin: Origin): Promise<Error | undefined> {
  try {
    await origin.prepare();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** A client that offers protocols by name, and not this one, would speak another in what follows. */
function protocolFault(is: FirstBytes, rule: string): Denied | undefined {
  if (is.kind !== "hello" || is.protocols === undefined || is.protocols.includes("http/1.1"))
    return undefined;
  return {
    verdict: "deny",
    rule,
    layer: "tls",
    reason: `the client insists on ${is.protocols.join(", ").slice(0, 64)}, and inspected connections speak HTTP/1.1`,
    fix: { text: "let the client offer http/1.1 (curl --http1.1)" },
  };
}

import net from "node:net";
import type { IpAddress } from "../policy/address.ts";
import { decide, dependsOnProgram, inferenceHost } from "../policy/decide.ts";
import type { Caller, Carried, Denied, Destination } from "../policy/decision.ts";
import { Refused } from "../policy/refused.ts";
import { NacreError } from "../error.ts";
import type { Audit } from "./audit.ts";
import { type Captured, dialledBy, WaitingRoom } from "./captured.ts";
import { serveTcp } from "./dns-server.ts";
import type { DnsOutcome, PolicyDns } from "./dns.ts";
import { openingFault, readOpening } from "./first-bytes.ts";
import type { Inspection } from "./inspection.ts";
import { limits } from "./limits.ts";
import type { LivePolicy } from "./live-policy.ts";
import type { Owners } from "./owners.ts";
import type { AddressPool } from "./pool.ts";
import { splice } from "./splice.ts";
import { tightened } from "./tightened.ts";
import type { Tunnels } from "./tunnels.ts";
import { Unreachable } from "./unreachable.ts";
import type { Upstreams } from "./upstreams.ts";

/** What decides and carries a captured connection. */
export interface Behind {
  readonly pool: AddressPool;
  readonly policy: LivePolicy;
  readonly owners: Owners;
  readonly upstreams: Upstreams;
  readonly tunnels: Tunnels;
  readonly audit: Audit;
  readonly dns: PolicyDns;
  readonly seenDns: (outcome: DnsOutcome) => void;
  /** Takes over a connection to `inference.local:443`. */
  readonly inference: (agent: net.Socket) => void;
  /** Carries what a rule has inspected. */
  readonly inspection: Inspection;
}

/**
 * Where every TCP connection of the sandbox arrives. The kernel completed its handshake, so refusing is a reset
 * without a byte.
 */
export class FrontDoor {
  readonly #behind: Behind;
  readonly #waiting = new WaitingRoom(limits.undecided);

  constructor(behind: Behind) {
    this.#behind = behind;
  }

  /** Serves a listening socket that was opened inside the sandbox. Resolves when it accepts. */
  async listen(fd: number): Promise<net.Server> {
    const server = net.createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
    });
    server.maxConnections = limits.connections;
    server.on("connection", (agent) => void this.#accept(agent));
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    server.once("error", reject);
    server.listen({ fd }, () => resolve(undefined));
    await promise;
    return server;
  }

  async #accept(agent: net.Socket): Promise<void> {
    agent.on("error", () => undefined);
    const dialled = dialledBy(agent);
    if (dialled === undefined) {
      agent.resetAndDestroy();
      return;
    }
    const where = this.#meant(dialled);
    if (where.port === 53 && this.#isForDns(dialled, where)) {
      serveTcp(agent, this.#behind.dns, this.#behind.seenDns);
      return;
    }
    if (where.host === inferenceHost && where.port === 443) {
      this.#behind.inference(agent);
      return;
    }
    await this.#serve(this.#waiting.admit(agent, where));
  }

  /** Who, where, decide; then resolve, check, dial that very address; then carry. Each step ends it or is passed. */
  async #serve(captured: Captured): Promise<void> {
    const { policy, owners } = this.#behind;
    const { agent, where } = captured;
    let who: Caller = {};
    try {
      if (this.#waiting.isFull) throw new Refused(tooMany, where);
      if (dependsOnProgram(policy.current, where)) who = await owners.of(agent);
      const decision = decide(policy.current, who, where);
      if (decision.verdict === "deny") throw new Refused(decision, where);
      await this.#carry(captured, who, decision);
    } catch (error) {
      if (error instanceof Refused) await this.#refuse(captured, who, error.denied);
      else this.#fail(captured, who, error);
    } finally {
      captured.settled();
    }
  }

  async #carry(captured: Captured, who: Caller, decision: Carried): Promise<void> {
    const { policy, owners, upstreams, tunnels } = this.#behind;
    const { where, ended } = captured;
    const changed = dependsOnProgram(policy.current, where) ? owners.changed(decision.rule, who) : undefined;
    if (changed !== undefined) throw new Refused(changed, where);
    const cut = Promise.withResolvers<never>();
    cut.promise.catch(() => undefined);
    let dialled: net.Socket | undefined;
    const forget = tunnels.add({
      denied: () => {
        const now = decide(policy.current, who, where);
        if (now.verdict === "deny") return now;
        const address = dialled?.remoteAddress;
        return tightened(decision, now, where, address) ?? upstreams.denied(where, address);
      },
      cut: (denied) => {
        cut.reject(new Refused(denied, where));
        ended.abort();
      },
    });
    try {
      if (decision.inspect === "http") {
        await this.#behind.inspection.carry(captured, who, decision, cut.promise);
        return;
      }
      const hello = decision.inspect === "tls" ? await openingOf(captured, decision) : Buffer.alloc(0);
      const upstream = await Promise.race([
        upstreams.connect(where, ended.signal, decision.within),
        cut.promise,
      ]);
      dialled = upstream;
      // Elsewhere the server may speak first, so it is dialled before the agent's first bytes are known.
      const opening = decision.inspect === "sniff" ? openingOf(captured, decision) : Promise.resolve(hello);
      await this.#join(captured, who, decision, upstream, opening, cut.promise);
    } finally {
      forget();
    }
  }

  async #join(
    captured: Captured,
    who: Caller,
    decision: Carried,
    upstream: net.Socket,
    opening: Promise<Buffer>,
    cut: Promise<never>,
  ): Promise<void> {
    const { audit, owners } = this.#behind;
    const { agent, where } = captured;
    const started = performance.now();
    const known = { ...where, rule: decision.rule, address: upstream.remoteAddress };
    captured.settled();
    audit.write({ kind: "connect", verdict: "allow", ...known, ...who });
    // Where the decision did not need it, the program is told by the record of the end.
    const owner = who.binary === undefined ? owners.casually(agent) : Promise.resolve(who);
    try {
      const joined = splice(agent, upstream, opening);
      joined.catch(() => undefined);
      await Promise.race([joined, cut]);
    } finally {
      for (const side of [agent, upstream]) if (!side.destroyed) side.resetAndDestroy();
      audit.write({
        kind: "close",
        verdict: "closed",
        ...known,
        ...(await owner),
        sent: upstream.bytesWritten,
        received: upstream.bytesRead,
        duration: Math.round(performance.now() - started),
      });
    }
  }

  /** The owner is asked for before the reset, since the socket has none after it. */
  async #refuse({ agent, where }: Captured, who: Caller, denied: Denied): Promise<void> {
    const unknown = who.binary === undefined && !agent.destroyed;
    const owner = unknown ? await this.#behind.owners.casually(agent) : who;
    const { rule, layer, reason, fix } = denied;
    this.#behind.audit.write({
      kind: "connect",
      verdict: "deny",
      ...where,
      ...owner,
      rule,
      layer,
      reason,
      fix,
    });
    if (!agent.destroyed) agent.resetAndDestroy();
  }

  #fail(captured: Captured, who: Caller, error: unknown): void {
    const { agent, where } = captured;
    const reason = error instanceof NacreError ? error.message : `unexpected: ${String(error)}`;
    const unreachable = error instanceof Unreachable && !agent.destroyed;
    const told = unreachable ? { layer: "upstream", fix: { text: error.hint ?? allowedOnly } } : {};
    this.#behind.audit.write({ kind: "connect", verdict: "failed", ...where, ...who, reason, ...told });
    if (!agent.destroyed) agent.resetAndDestroy();
  }

  /** The name that a synthetic address stands for, else the address itself. */
  #meant({ address, port }: { address: IpAddress; port: number }): Destination {
    return { host: this.#behind.pool.nameOf(address) ?? address.text, port };
  }

  /** Port 53 of the sandbox's own DNS address, or of an address that no rule names: the policy DNS answers for all. */
  #isForDns({ address }: { address: IpAddress }, where: Destination): boolean {
    const { pool, policy } = this.#behind;
    if (address.value === pool.dnsAddress.value) return true;
    return where.host === address.text && decide(policy.current, {}, where).verdict === "deny";
  }
}

const allowedOnly = "it is allowed; look from this host whether it answers";

const tooMany: Denied = {
  verdict: "deny",
  layer: "limit",
  reason: `${limits.undecided} connections are waiting already`,
  fix: { text: "open fewer connections at one time" },
};

async function openingOf({ agent, where }: Captured, decision: Carried): Promise<Buffer> {
  const required = decision.inspect === "tls";
  const { bytes, is } = await readOpening(agent, required ? limits.helloMs : undefined);
  const fault = openingFault(is, decision.rule, where, required);
  if (fault !== undefined) throw new Refused(fault, where);
  return bytes;
}

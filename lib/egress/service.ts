import type net from "node:net";
import { NacreError, type ErrorParts } from "../error.ts";
import { blockOf, inferenceHost, resolvable } from "../policy/decide.ts";
import type { Denied } from "../policy/decision.ts";
import { readGrants } from "../policy/guard.ts";
import { Refused } from "../policy/refused.ts";
import { demoModel } from "../router/demo.ts";
import { RouterFailure } from "../router/failure.ts";
import { Router } from "../router/router.ts";
import type { Dial } from "../router/upstream.ts";
import { Audit } from "./audit.ts";
import { serveUdp } from "./dns-server.ts";
import { type DnsOutcome, PolicyDns } from "./dns.ts";
import { FrontDoor } from "./front-door.ts";
import { InferenceDoor } from "./inference-door.ts";
import { InitClient } from "./init-client.ts";
import { LivePolicy, type Loaded } from "./live-policy.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { Owners } from "./owners.ts";
import { AddressPool } from "./pool.ts";
import type { Configure, Network, Report } from "./protocol.ts";
import { publish } from "./publish.ts";
import { Resolver } from "./resolve.ts";
import { Tunnels } from "./tunnels.ts";
import { Upstreams } from "./upstreams.ts";

/** Sockets that were opened inside the sandbox and inherited; one that is absent is not served. */
export interface Listeners {
  readonly tcp: readonly number[];
  readonly udp: readonly { readonly fd: number; readonly family: "udp4" | "udp6" }[];
}

/** All of one sandbox's egress, put together: what the control channel commands. */
export class Egress {
  readonly #report: (report: Report) => void;
  readonly #configure: Configure;
  readonly #policy: LivePolicy;
  readonly #audit: Audit;
  readonly #tunnels = new Tunnels();
  readonly #upstreams: Upstreams;
  readonly #owners: Owners;
  readonly #init: InitClient | undefined;
  readonly #dns: PolicyDns;
  readonly #pool: AddressPool;
  readonly #router: Router | undefined;
  readonly #inference: InferenceDoor | undefined;

  /** Throws where the configuration cannot be taken; nothing listens then. */
  constructor(configure: Configure, trust: readonly string[], report: (report: Report) => void) {
    this.#configure = configure;
    this.#report = report;
    this.#policy = new LivePolicy((loaded) => this.#loaded(loaded));
    const complain = (message: string): void => report({ type: "log", level: "error", message });
    this.#audit = new Audit(configure.audit, () => this.#policy.inForce, complain);
    this.#pool = new AddressPool(configure.pool.prefix, configure.poolFile);
    const grants = readGrants(configure.grants);
    this.#upstreams = new Upstreams(new Resolver(), new OwnAddresses(), grants, this.#pool.cidr);
    this.#init = configure.egressSocket === null ? undefined : new InitClient(configure.egressSocket);
    this.#owners = new Owners(this.#init);
    this.#dns = new PolicyDns(this.#pool, (name) => this.#named(name));
    this.#router = this.#makeRouter(trust);
    this.#inference = this.#makeInferenceDoor();
  }

  /** Loads the first policy and opens the doors. */
  async start(listeners: Listeners): Promise<void> {
    this.setNetwork(this.#configure.network);
    const door = new FrontDoor({
      pool: this.#pool,
      policy: this.#policy,
      owners: this.#owners,
      upstreams: this.#upstreams,
      tunnels: this.#tunnels,
      audit: this.#audit,
      dns: this.#dns,
      seenDns: (outcome) => this.#seenDns(outcome),
      inference: (agent) => {
        if (this.#inference === undefined) this.#refuseInference(agent, noRoute);
        else this.#inference.take(agent);
      },
    });
    for (const fd of listeners.tcp) await door.listen(fd);
    for (const { fd, family } of listeners.udp) {
      await serveUdp(fd, family, this.#dns, (outcome) => this.#seenDns(outcome));
    }
    await this.#publishAll();
    this.#report({ type: "ready" });
  }

  /** Swaps the policy, or says why not and keeps the one in force. */
  setNetwork(network: Network): void {
    try {
      this.#policy.load(network);
    } catch (error) {
      if (!(error instanceof NacreError)) throw error;
      this.#report({ type: "failed", revision: network.revision, error: error.toJSON() });
    }
  }

  /** The operator's grants from now on; where one cannot be read, all stay as they were. */
  setGrants(grants: Configure["grants"]): void {
    try {
      this.#upstreams.setGrants(readGrants(grants));
    } catch (error) {
      this.#report({ type: "log", level: "error", message: String(error) });
    }
  }

  setSecrets(secrets: Readonly<Record<string, string>>): void {
    this.#router?.setSecrets(secrets);
  }

  /** One live call to the route's provider. */
  async check(): Promise<ErrorParts | undefined> {
    if (this.#router === undefined) return undefined;
    try {
      await this.#router.check(AbortSignal.timeout(60_000));
      return undefined;
    } catch (error) {
      const subject = `inference of ${this.#configure.sandbox}`;
      if (error instanceof RouterFailure) {
        const { code, message, hint } = error.answer;
        return { code, subject, message, hint };
      }
      return { code: "inference_failed", subject, message: String(error) };
    }
  }

  /** Writes what the audit only counted so far. */
  close(): void {
    this.#audit.close();
  }

  #loaded({ revision, hash, expired }: Loaded): void {
    const reason = expired.length > 0 ? `expired: ${expired.join(", ")}` : undefined;
    this.#audit.write({ kind: "policy", verdict: "changed", reason });
    this.#tunnels.review();
    this.#report({
      type: "loaded",
      revision,
      hash,
      ...(expired.length > 0 ? { expired: [...expired] } : {}),
    });
  }

  #named(name: string): Denied | undefined {
    if (name !== inferenceHost) return resolvable(this.#policy.current, name);
    return blockOf(this.#policy.current, name) ?? (this.#router === undefined ? noRoute : undefined);
  }

  #seenDns({ name, denied }: DnsOutcome): void {
    if (name === undefined) return;
    if (denied === undefined) {
      this.#audit.write({ kind: "dns", verdict: "allow", host: name });
      return;
    }
    const { rule, layer, reason, fix } = denied;
    this.#audit.write({ kind: "dns", verdict: "deny", host: name, rule, layer, reason, fix });
  }

  #makeRouter(trust: readonly string[]): Router | undefined {
    const { inference } = this.#configure;
    if (inference === null) return undefined;
    return new Router({
      inference,
      trust,
      dial: this.#routerDial,
      isGranted: (where) => this.#upstreams.isGranted(where),
      demo: demoModel,
      blocked: () => blockOf(this.#policy.current, inferenceHost),
    });
  }

  /** The router's way out: the same guard, cut by a block of the provider's host, or of all. */
  readonly #routerDial: Dial = async (where, signal) => {
    const blocked = (): Denied | undefined => blockOf(this.#policy.current, where.host);
    const denied = blocked();
    if (denied !== undefined) throw new Refused(denied, where);
    const socket = await this.#upstreams.connect(where, signal);
    const forget = this.#tunnels.add({ denied: blocked, cut: () => socket.resetAndDestroy() });
    socket.once("close", forget);
    return socket;
  };

  #makeInferenceDoor(): InferenceDoor | undefined {
    const { tls, sandbox } = this.#configure;
    if (this.#router === undefined) return undefined;
    if (tls === null) {
      throw new NacreError({
        code: "configuration_invalid",
        subject: `egress of ${sandbox}`,
        message: "inference is configured without a certificate for inference.local",
        hint: "issue one with the sandbox's authority",
      });
    }
    return new InferenceDoor({
      ...tls,
      router: this.#router,
      tunnels: this.#tunnels,
      owners: this.#owners,
      audit: this.#audit,
      blocked: () => blockOf(this.#policy.current, inferenceHost),
      refuse: (agent, denied) => this.#refuseInference(agent, denied),
    });
  }

  #refuseInference(agent: net.Socket, { layer, reason, fix }: Denied): void {
    this.#audit.write({
      kind: "inference",
      verdict: "deny",
      host: inferenceHost,
      port: 443,
      layer,
      reason,
      fix,
    });
    agent.resetAndDestroy();
  }

  async #publishAll(): Promise<void> {
    const init = this.#init;
    const ports = init === undefined ? [] : this.#configure.ports;
    const published = await Promise.all(
      ports.map(async ({ inside, outside }) =>
        publish(inside, outside, init as InitClient, (port, reason) => {
          const fix = { text: "open the published address itself, from a program or page of your own" };
          this.#audit.write({
            kind: "publish",
            verdict: "deny",
            host: "127.0.0.1",
            port,
            layer: "publish",
            reason,
            fix,
          });
        }),
      ),
    );
    this.#report({ type: "ports", ports: published });
  }
}

const noRoute: Denied = {
  verdict: "deny",
  layer: "inference",
  reason: "this sandbox has no inference route",
  fix: { text: "name one in the blueprint: inference: default" },
};

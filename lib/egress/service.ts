import { NacreError, type ErrorParts } from "../error.ts";
import { inferenceHost, resolvable } from "../policy/decide.ts";
import { readGrants } from "../policy/guard.ts";
import { Audit } from "./audit.ts";
import { Credentials } from "./credentials.ts";
import { serveUdp } from "./dns-server.ts";
import { type DnsOutcome, PolicyDns } from "./dns.ts";
import { FrontDoor } from "./front-door.ts";
import { InferenceService } from "./inference-service.ts";
import { InitClient } from "./init-client.ts";
import { Inspection } from "./inspection.ts";
import { Inspector } from "./inspector.ts";
import { Leaves } from "./leaves.ts";
import { LivePolicy, type Loaded } from "./live-policy.ts";
import { Origins } from "./origins.ts";
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
  readonly #inference: InferenceService;
  readonly #credentials: Credentials;
  readonly #inspection: Inspection;

  /** Throws where the configuration cannot be taken; nothing listens then. */
  constructor(configure: Configure, trust: readonly string[], report: (report: Report) => void) {
    this.#configure = configure;
    this.#report = report;
    this.#policy = new LivePolicy((loaded) => this.#loaded(loaded));
    const complain = (message: string): void => report({ type: "log", level: "error", message });
    this.#audit = new Audit(configure.audit, () => this.#policy.inForce, complain);
    this.#pool = new AddressPool(configure.pool.prefix, configure.poolFile, complain);
    const grants = readGrants(configure.grants);
    this.#upstreams = new Upstreams(new Resolver(), new OwnAddresses(), grants, this.#pool.cidr);
    this.#init = configure.egressSocket === null ? undefined : new InitClient(configure.egressSocket);
    this.#owners = new Owners(this.#init);
    const parts = {
      policy: this.#policy,
      upstreams: this.#upstreams,
      tunnels: this.#tunnels,
      owners: this.#owners,
      audit: this.#audit,
      leaves: new Leaves(configure.authority),
    };
    this.#inference = new InferenceService(configure, trust, parts);
    this.#credentials = new Credentials(configure.credentials, configure.secrets);
    const origins = new Origins({ ...parts, trust });
    const { sandbox } = configure;
    const inspector = new Inspector({ ...parts, sandbox, origins, credentials: this.#credentials });
    this.#inspection = new Inspection({ ...parts, origins, inspector });
    this.#dns = new PolicyDns(this.#pool, (name) =>
      name === inferenceHost ? this.#inference.denied() : resolvable(this.#policy.current, name),
    );
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
      inference: (agent) => this.#inference.take(agent),
      inspection: this.#inspection,
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

  /** The operator's grants from now on: what needs one that is gone is closed. Where one cannot be read, all stay. */
  setGrants(grants: Configure["grants"]): void {
    try {
      this.#upstreams.setGrants(readGrants(grants));
    } catch (error) {
      this.#report({ type: "log", level: "error", message: String(error) });
      return;
    }
    this.#tunnels.review();
  }

  setSecrets(secrets: Readonly<Record<string, string>>): void {
    this.#inference.setSecrets(secrets);
    this.#credentials.setSecrets(secrets);
  }

  /** One live call to the route's provider. */
  async check(): Promise<ErrorParts | undefined> {
    return await this.#inference.check();
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

  #seenDns({ name, denied }: DnsOutcome): void {
    if (name === undefined) return;
    if (denied === undefined) {
      this.#audit.write({ kind: "dns", verdict: "allow", host: name });
      return;
    }
    const { rule, layer, reason, fix } = denied;
    this.#audit.write({ kind: "dns", verdict: "deny", host: name, rule, layer, reason, fix });
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

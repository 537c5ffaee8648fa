import http from "node:http";
import type net from "node:net";
import { inferenceHost } from "../policy/decide.ts";
import type { Caller, Denied } from "../policy/decision.ts";
import type { InferenceOutcome, Router } from "../router/router.ts";
import { acceptTls } from "./agent-tls.ts";
import type { Audit } from "./audit.ts";
import { openingFault, readOpening } from "./first-bytes.ts";
import type { Leaves } from "./leaves.ts";
import { limits } from "./limits.ts";
import type { Owners } from "./owners.ts";
import type { Tunnels } from "./tunnels.ts";

/** Milliseconds that an agent may be silent on a connection; a slow model is silent for long. */
const silentMs = 15 * 60 * 1000;
const keepAliveMs = 60_000;

export interface InferenceDoorOptions {
  readonly router: Router;
  readonly leaves: Leaves;
  readonly tunnels: Tunnels;
  readonly owners: Owners;
  readonly audit: Audit;
  /** The emergency stop, as of now. */
  readonly blocked: () => Denied | undefined;
  readonly refuse: (agent: net.Socket, denied: Denied) => void;
}

/** Connections of the sandbox to `inference.local`, which the egress answers itself. */
export class InferenceDoor {
  readonly #options: InferenceDoorOptions;
  readonly #server: http.Server;
  /** Which program owns an open connection, by the agent's end of it. */
  readonly #callers = new Map<string, Promise<Caller>>();

  constructor(options: InferenceDoorOptions) {
    this.#options = options;
    this.#server = http.createServer(
      { maxHeaderSize: limits.headBytes, headersTimeout: limits.headMs, requestTimeout: 0 },
      (message, response) => void this.#serve(message, response),
    );
    this.#server.timeout = silentMs;
    this.#server.keepAliveTimeout = keepAliveMs;
    this.#server.on("clientError", (_error, socket) => socket.destroy());
    // As the inspector: Node checks the time for a head from `listening` on.
    this.#server.emit("listening");
  }

  /** Serves a captured connection until its end, or until a block cuts it. */
  take(agent: net.Socket): void {
    const { blocked, refuse, tunnels } = this.#options;
    const denied = blocked();
    if (denied !== undefined) {
      refuse(agent, denied);
      return;
    }
    const forget = tunnels.add({ denied: blocked, cut: (now) => refuse(agent, now) });
    const end = endOf(agent);
    this.#callers.set(end, this.#options.owners.casually(agent));
    agent.once("close", () => {
      forget();
      this.#callers.delete(end);
    });
    void this.#begin(agent);
  }

  /** A name that is another one, or none, is shown no certificate. */
  async #begin(agent: net.Socket): Promise<void> {
    const { bytes, is } = await readOpening(agent, limits.helloMs);
    if (
      openingFault(is, "inference", { host: inferenceHost, port: 443 }, true) !== undefined ||
      agent.destroyed
    ) {
      agent.destroy();
      return;
    }
    agent.unshift(bytes);
    try {
      const socket = await acceptTls(agent, inferenceHost, this.#options.leaves.contextFor(inferenceHost));
      this.#server.emit("connection", socket);
    } catch {
      agent.destroy();
    }
  }

  async #serve(message: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const who = (await this.#callers.get(endOf(message.socket))) ?? {};
    this.#record(await this.#options.router.serve(message, response), who);
  }

  /** Which provider, how it ended, how long it took: nothing of the prompt or the answer. */
  #record(outcome: InferenceOutcome, who: Caller): void {
    const { provider, model, status, duration, denied, reason } = outcome;
    this.#options.audit.write({
      kind: "inference",
      verdict: denied === undefined ? (status < 400 ? "allow" : "failed") : "deny",
      host: inferenceHost,
      port: 443,
      ...who,
      layer: denied?.layer,
      reason: denied?.reason ?? reason,
      fix: denied?.fix,
      provider,
      model,
      status,
      duration,
    });
  }
}

const endOf = (socket: net.Socket): string => `${socket.remoteAddress ?? ""} ${socket.remotePort ?? 0}`;

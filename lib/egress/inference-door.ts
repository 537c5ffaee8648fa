import type http from "node:http";
import https from "node:https";
import type net from "node:net";
import type tls from "node:tls";
import { inferenceHost } from "../policy/decide.ts";
import type { Caller, Denied } from "../policy/decision.ts";
import type { InferenceOutcome, Router } from "../router/router.ts";
import type { Audit } from "./audit.ts";
import type { Owners } from "./owners.ts";
import type { Tunnels } from "./tunnels.ts";

/** Milliseconds that an agent may be silent on a connection; a slow model is silent for long. */
const silentMs = 15 * 60 * 1000;
const keepAliveMs = 60_000;

export interface InferenceDoorOptions {
  readonly router: Router;
  /** The leaf for `inference.local`, PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly tunnels: Tunnels;
  readonly owners: Owners;
  readonly audit: Audit;
  /** The emergency stop, as of now. */
  readonly blocked: () => Denied | undefined;
  readonly refuse: (agent: net.Socket, denied: Denied) => void;
}

/** The one place where TLS is terminated: connections of the sandbox to `inference.local`. */
export class InferenceDoor {
  readonly #options: InferenceDoorOptions;
  readonly #server: https.Server;
  /** Which program owns an open connection, by the agent's end of it. */
  readonly #callers = new Map<string, Promise<Caller>>();

  constructor(options: InferenceDoorOptions) {
    this.#options = options;
    this.#server = https.createServer(
      {
        cert: options.certificate,
        key: options.key,
        ALPNProtocols: ["http/1.1"],
        minVersion: "TLSv1.2",
        maxHeaderSize: 32 * 1024,
        // Without a name, or with another, there is no certificate to show.
        SNICallback: (name, done) => {
          if (name.toLowerCase() === inferenceHost) done(null);
          else done(new Error("this is inference.local"));
        },
      },
      (message, response) => void this.#serve(message, response),
    );
    this.#server.timeout = silentMs;
    this.#server.keepAliveTimeout = keepAliveMs;
    this.#server.on("tlsClientError", (_error, socket: tls.TLSSocket) => socket.destroy());
    this.#server.on("clientError", (_error, socket) => socket.destroy());
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
    this.#server.emit("connection", agent);
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

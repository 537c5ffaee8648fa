import type net from "node:net";
import type { ErrorParts } from "../error.ts";
import { blockOf, inferenceHost } from "../policy/decide.ts";
import type { Denied } from "../policy/decision.ts";
import { demoModel } from "../router/demo.ts";
import { RouterFailure } from "../router/failure.ts";
import { Router } from "../router/router.ts";
import type { Audit } from "./audit.ts";
import { guardedDial, type WayOut } from "./guarded-dial.ts";
import { InferenceDoor } from "./inference-door.ts";
import type { Leaves } from "./leaves.ts";
import type { Owners } from "./owners.ts";
import type { Configure } from "./protocol.ts";

/** Milliseconds for one live call. */
const checkMs = 60_000;

export interface InferenceParts extends WayOut {
  readonly owners: Owners;
  readonly audit: Audit;
  readonly leaves: Leaves;
}

/** `inference.local` of one sandbox: served by the egress itself, so that no rule names it and only a block stops it. */
export class InferenceService {
  readonly #parts: InferenceParts;
  readonly #sandbox: string;
  readonly #router: Router | undefined;
  readonly #door: InferenceDoor | undefined;

  /** Throws where the route cannot be taken. */
  constructor({ inference, secrets, sandbox }: Configure, trust: readonly string[], parts: InferenceParts) {
    this.#parts = parts;
    this.#sandbox = sandbox;
    if (inference === null) return;
    const blocked = (): Denied | undefined => blockOf(parts.policy.current, inferenceHost);
    this.#router = new Router({
      inference: { ...inference, secrets },
      trust,
      dial: guardedDial(parts),
      isGranted: (where) => parts.upstreams.isGranted(where),
      demo: demoModel,
      blocked,
    });
    const refuse = (agent: net.Socket, denied: Denied): void => this.#refuse(agent, denied);
    this.#door = new InferenceDoor({ ...parts, router: this.#router, blocked, refuse });
  }

  /** Why the name does not resolve, if it does not. */
  denied(): Denied | undefined {
    return (
      blockOf(this.#parts.policy.current, inferenceHost) ?? (this.#router === undefined ? noRoute : undefined)
    );
  }

  /** Takes over a captured connection to `inference.local:443`. */
  take(agent: net.Socket): void {
    if (this.#door === undefined) this.#refuse(agent, noRoute);
    else this.#door.take(agent);
  }

  setSecrets(secrets: Readonly<Record<string, string>>): void {
    this.#router?.setSecrets(secrets);
  }

  /** One live call to the route's provider. */
  async check(): Promise<ErrorParts | undefined> {
    try {
      await this.#router?.check(AbortSignal.timeout(checkMs));
      return undefined;
    } catch (error) {
      const subject = `inference of ${this.#sandbox}`;
      if (!(error instanceof RouterFailure))
        return { code: "inference_failed", subject, message: String(error) };
      const { code, message, hint } = error.answer;
      return { code, subject, message, hint };
    }
  }

  #refuse(agent: net.Socket, { layer, reason, fix }: Denied): void {
    this.#parts.audit.write({
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
}

const noRoute: Denied = {
  verdict: "deny",
  layer: "inference",
  reason: "this sandbox has no inference route",
  fix: { text: "name one in the blueprint: inference: default" },
};

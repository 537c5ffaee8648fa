import {
  checkSchema,
  launchedSchema,
  probesSchema,
  type KernelOffer,
  type LaunchPosture,
} from "../../lib/host/launch-spec.ts";
import { kernelFindings, type Finding } from "../../lib/cli/doctor-findings.ts";
import type { ErrorParts } from "../../lib/error.ts";
import type { Stepped } from "./guest.ts";

/** What was said in a guest, read as the product reads it. */
export class Readings {
  readonly #steps: ReadonlyMap<string, Stepped>;

  constructor(steps: ReadonlyMap<string, Stepped>) {
    this.#steps = steps;
  }

  step(name: string): Stepped {
    const step = this.#steps.get(name);
    if (step === undefined) throw new Error(`the guest did no step ${name}`);
    return step;
  }

  offer(name: string): KernelOffer {
    return checkSchema.parse(this.#json(name));
  }

  /** The line of `nacre doctor` about `what`. */
  finding(name: string, what: string): Finding | undefined {
    return kernelFindings(this.offer(name)).find((finding) => finding.name === what);
  }

  posture(name: string): LaunchPosture {
    const launched = launchedSchema.parse(this.#json(name));
    if (!launched.ok) throw new Error(JSON.stringify(launched.error));
    return launched.posture;
  }

  /** Why a sandbox did not start. */
  refusal(name: string): ErrorParts & { readonly exit: number } {
    const launched = launchedSchema.parse(this.#json(name));
    if (launched.ok) throw new Error(`${name} started`);
    return { ...launched.error, exit: this.step(name).code };
  }

  /** The forbidden things that were not refused, of how many. */
  reached(name: string): { readonly tried: number; readonly reached: readonly string[] } {
    const answer = probesSchema.parse(this.#json(name));
    if (!answer.ok) throw new Error(JSON.stringify(answer.error));
    const reached = answer.probes.filter(({ refused }) => !refused);
    return {
      tried: answer.probes.length,
      reached: reached.map((probe) => `${probe.name}: ${probe.detail}`),
    };
  }

  #json(name: string): unknown {
    const { out, err } = this.step(name);
    try {
      return JSON.parse(out);
    } catch {
      throw new Error(`${name} said no JSON: ${out} ${err}`);
    }
  }
}

import { CanonicalTexts, digestOf, type ResolvedAgent } from "../../blueprint/index.ts";
import { renderObject } from "../render.ts";

type Network = ResolvedAgent["network"];

/**
 * Policies as their ConfigMaps hold them. Presets put the same rules into many, and writing YAML is most of what a
 * sandbox costs here, so each rule is written once.
 */
export class PolicyTexts {
  readonly #rules = new Map<string, string>();
  readonly #canonical = new CanonicalTexts();

  of(network: Network): { readonly yaml: string; readonly digest: string } {
    const rules = Object.entries(network);
    const canonical = Object.fromEntries(rules.map(([id, rule]) => [id, this.#canonical.of(rule)]));
    const texts = rules.map(([id, rule]) => this.#rule({ [id]: rule }));
    return {
      yaml: texts.length === 0 ? policyText({}) : `${head}${texts.join("")}`,
      digest: digestOf({ version: 1, network_policies: canonical }),
    };
  }

  /** The lines of one rule in a policy. */
  #rule(alone: Network): string {
    const key = JSON.stringify(alone);
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const text = policyText(alone).slice(head.length);
    this.#rules.set(key, text);
    return text;
  }
}

const head = "version: 1\nnetwork_policies:\n";
const policyText = (network: Network): string => renderObject({ version: 1, network_policies: network });

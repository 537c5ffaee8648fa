import { CanonicalTexts, digestOf, type ResolvedAgent } from "../../blueprint/index.ts";
import { renderObject } from "../render.ts";

type Network = ResolvedAgent["network"];
type NetworkRule = Network[string];

/**
 * Policies as their ConfigMaps hold them. Presets put the same rules into many, and writing YAML is most of what a
 * sandbox costs here, so each rule is written once.
 */
export class PolicyTexts {
  readonly #rules = new Map<NetworkRule, { readonly id: string; readonly text: string }>();
  readonly #canonical = new CanonicalTexts();

  of(network: Network): { readonly yaml: string; readonly digest: string } {
    const rules = Object.entries(network);
    const canonical = Object.fromEntries(rules.map(([id, rule]) => [id, this.#canonical.of(rule)]));
    const texts = rules.map(([id, rule]) => this.#rule(id, rule));
    return {
      yaml: texts.length === 0 ? policyText({}) : `${head}${texts.join("")}`,
      digest: digestOf({ version: 1, network_policies: canonical }),
    };
  }

  /** The lines of one rule in a policy. */
  #rule(id: string, rule: NetworkRule): string {
    const known = this.#rules.get(rule);
    if (known?.id === id) return known.text;
    const text = policyText({ [id]: rule }).slice(head.length);
    this.#rules.set(rule, { id, text });
    return text;
  }
}

const head = "version: 1\nnetwork_policies:\n";
const policyText = (network: Network): string => renderObject({ version: 1, network_policies: network });

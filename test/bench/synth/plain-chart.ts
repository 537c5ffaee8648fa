import { ApiObject, App, Chart } from "cdk8s";
import { stringify } from "yaml";
import type { Manifest } from "../../../lib/synth/kubernetes.ts";

/** A program of cdk8s alone, which holds its objects as they are sent. */
export function plainChart(manifests: readonly Manifest[]): Manifest[] {
  const chart = new Chart(new App(), "prod", { disableResourceNameHashes: true });
  for (const [index, manifest] of manifests.entries())
    new ApiObject(chart, `object-${index}`, { ...manifest });
  return chart.toJson() as Manifest[];
}

/** Each as one YAML text, as `kubectl` takes it. */
export const plainYaml = (manifests: readonly Manifest[]): string[] =>
  manifests.map((manifest) => stringify(manifest));

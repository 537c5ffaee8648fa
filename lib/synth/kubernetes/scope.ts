import type { ClusterSettings } from "../../blueprint/index.ts";
import type { Construct } from "constructs";
import type { ApiObject, k8s } from "./k8s.ts";
import { ownLabels } from "./names.ts";
import type { PolicyTexts } from "./policy-texts.ts";

/** What every part of a chart is made with. */
export interface Parts {
  readonly namespace: string;
  /** The environment, as its namespace says it. */
  readonly owner: string;
  readonly settings: ClusterSettings;
  /** Names of the two classes of pods: agents give way to what they need. */
  readonly priorities: { readonly agents: string; readonly services: string };
  /** What leads to public addresses. */
  readonly outside: k8s.NetworkPolicyEgressRule[];
  readonly policies: PolicyTexts;
}

/** Metadata of an object in the environment's namespace. */
export const metadataOf = (
  { namespace }: Parts,
  name: string,
  more: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> } = {},
): {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations?: Record<string, string>;
} => ({
  name,
  namespace,
  labels: { ...ownLabels, ...more.labels },
  ...(more.annotations && { annotations: more.annotations }),
});

const ORDER = Symbol("order");
type Ordered = Construct & { [ORDER]?: ApiObject[] };

/** Says that `object` comes after the others. Kept beside the tree: constructs' own search for cycles is quadratic. */
export function after(object: ApiObject, ...others: readonly ApiObject[]): void {
  ((object as Ordered)[ORDER] ??= []).push(...others);
}

export const comesAfter = (object: ApiObject): readonly ApiObject[] => (object as Ordered)[ORDER] ?? [];

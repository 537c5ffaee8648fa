import type { Manifest } from "../../lib/synth/kubernetes.ts";
import type { Scene } from "./scene.ts";

/**
 * Policies that somebody has changed, and what comes of it: something passes that must not (`opens`), something stops and
 * nothing else passes (`closes`), or nothing happens, since another policy or the other end holds (`holds`).
 */
export interface Weakened {
  readonly name: string;
  readonly effect: "opens" | "closes" | "holds";
  readonly manifests: readonly Manifest[];
}

interface Policy {
  readonly metadata: Manifest["metadata"];
  readonly spec: Spec;
}
interface Spec {
  podSelector: object;
  policyTypes: string[];
  ingress: Rule[];
  egress: Rule[];
}
interface Rule {
  ports?: { protocol: string; port?: number; endPort?: number }[];
  to?: End[];
  from?: End[];
}
interface End {
  podSelector?: { matchLabels?: Record<string, string> };
  namespaceSelector?: { matchLabels?: Record<string, string> };
  ipBlock?: { cidr: string; except: string[] };
}
type Change = (policies: readonly Policy[]) => unknown;

const CLOSED = "default-deny";
const SANDBOX = "nacre.dev/sandbox";
const ways = [
  { way: "egress", ends: "to", type: "Egress" },
  { way: "ingress", ends: "from", type: "Ingress" },
] as const;

/** Everything that one hand can take from the policies of a scene, or add to them. */
export function weakened(scene: Scene): Weakened[] {
  const isPolicy = ({ kind }: Manifest): boolean => kind === "NetworkPolicy";
  const policies = scene.manifests.filter(isPolicy) as unknown as Policy[];
  const rest = scene.manifests.filter((manifest) => !isPolicy(manifest));
  const found: Weakened[] = [];
  const add = (name: string, effect: Weakened["effect"], change: Change, without: string[] = []): void => {
    const changed = structuredClone(policies).filter(({ metadata }) => !without.includes(metadata.name));
    change(changed);
    found.push({ name, effect, manifests: [...rest, ...(changed as unknown as Manifest[])] });
  };
  for (const { metadata, spec } of policies) whole(metadata.name, spec, add);
  for (const { metadata, spec } of policies) {
    for (const { way, ends } of ways) {
      spec[way].forEach((rule, index) => {
        const change = (edit: (rule: Rule) => unknown): Change =>
          of(metadata.name, (to) => edit(to[way][index]!));
        parts(`${metadata.name}, ${way} ${index}`, rule, ends, (name, effect, edit) =>
          add(name, effect, change(edit)),
        );
      });
    }
  }
  together(policies, add);
  return found;
}

type Add = (name: string, effect: Weakened["effect"], change: Change, without?: string[]) => void;

const of =
  (name: string, edit: (spec: Spec) => unknown): Change =>
  (policies) =>
    policies.filter(({ metadata }) => metadata.name === name).forEach(({ spec }) => edit(spec));

/** A policy as a whole. */
function whole(name: string, spec: Spec, add: Add): void {
  const closed = name === CLOSED;
  const rules = (way: "ingress" | "egress"): boolean => spec[way].length > 0;
  const unchanged: Change = () => undefined;
  add(`${name} is gone`, closed ? "opens" : "closes", unchanged, [name]);
  if (!closed) add(`${name} and ${CLOSED} are gone`, "opens", unchanged, [name, CLOSED]);
  for (const { way, type } of ways) {
    const deaf = of(name, (to) => {
      to.policyTypes = to.policyTypes.filter((one) => one !== type);
      // Kubernetes reads no rules of a way that a policy is not about; the analyser takes them for a slip.
      Reflect.deleteProperty(to, way);
    });
    add(`${name} is not about ${way}`, closed ? "opens" : rules(way) ? "closes" : "holds", deaf);
    if (!closed) add(`${name} is not about ${way}, and ${CLOSED} is gone`, "opens", deaf, [CLOSED]);
    add(
      `${name} has an empty rule of ${way}`,
      "opens",
      of(name, (to) => to[way].push({})),
    );
  }
  if (closed) return;
  // An agent reaches an egress, which answers to its own agent alone: another pod with an agent's policy reaches nothing.
  const opens = !name.startsWith("agent-") || rules("ingress");
  add(
    `${name} is about every pod`,
    opens ? "opens" : "holds",
    of(name, (to) => (to.podSelector = {})),
  );
}

/** One rule of a policy. */
function parts(
  name: string,
  rule: Rule,
  ends: "to" | "from",
  add: (name: string, effect: Weakened["effect"], edit: (rule: Rule) => unknown) => void,
): void {
  const peers = rule[ends] ?? [];
  // Between pods of the environment both ends say what passes; elsewhere there is no other end.
  const alone = peers.every((peer) => !isOwn(peer));
  const effect = alone ? "opens" : "holds";
  add(`${name}: everybody`, "opens", (to) => Reflect.deleteProperty(to, ends));
  add(`${name}: an address more`, "opens", (to) =>
    to[ends]!.push({ ipBlock: { cidr: "169.254.169.254/32", except: [] } }),
  );
  add(`${name}: every port`, effect, (to) => delete to.ports);
  rule.ports?.forEach(({ protocol, port }, index) => {
    if (port === undefined) return;
    add(`${name}: a port behind ${protocol} ${port}`, effect, (to) => (to.ports![index]!.endPort = port + 1));
  });
  peers.forEach((peer, at) => {
    const edit =
      (change: (peer: End) => unknown) =>
      (to: Rule): unknown =>
        change(to[ends]![at]!);
    const { podSelector, namespaceSelector, ipBlock } = peer;
    if (podSelector !== undefined) {
      const narrow = Object.keys(podSelector.matchLabels ?? {}).length > 0;
      add(
        `${name}, peer ${at}: pods of everywhere`,
        "opens",
        (to) => (to[ends]![at] = { namespaceSelector: {} }),
      );
      if (narrow && namespaceSelector === undefined) {
        add(
          `${name}: all pods of the namespace`,
          "holds",
          edit((to) => (to.podSelector = {})),
        );
      } else if (narrow) {
        add(
          `${name}: all pods of that namespace`,
          "opens",
          edit((to) => delete to.podSelector),
        );
        add(
          `${name}: those pods anywhere`,
          "opens",
          edit((to) => (to.namespaceSelector = {})),
        );
      }
    }
    for (const block of ipBlock?.except ?? []) {
      const less = (one: End): unknown =>
        (one.ipBlock!.except = one.ipBlock!.except.filter((text) => text !== block));
      add(`${name}: ${block} is no exception`, "opens", edit(less));
    }
  });
}

/** What opens only where both ends are changed, and what one end opens for a pod that is not meant. */
function together(policies: readonly Policy[], add: Add): void {
  const own: (edit: (rule: Rule, peer: End) => unknown, only?: (typeof ways)[number]["way"]) => Change =
    (edit, only) => (changed) => {
      for (const { spec } of changed) {
        for (const { way, ends } of ways.filter((one) => only === undefined || one.way === only)) {
          for (const rule of spec[way])
            for (const peer of rule[ends] ?? []) if (isOwn(peer)) edit(rule, peer);
        }
      }
    };
  const anyPod = (_: Rule, peer: End): unknown => (peer.podSelector = {});
  const anySandbox = (_: Rule, peer: End): unknown => delete peer.podSelector?.matchLabels?.[SANDBOX];
  const anyPort = (rule: Rule): unknown => delete rule.ports;
  for (const [name, edit] of Object.entries({ anyPod, anySandbox, anyPort })) {
    add(`both ends: ${name}`, "opens", own(edit));
    if (name !== "anyPod") add(`receivers: ${name}`, "holds", own(edit, "ingress"));
    add(`senders: ${name}`, "holds", own(edit, "egress"));
  }
  const asks = ({ spec }: Policy): Rule | undefined => spec.egress.find((rule) => rule.to?.some(isRouter));
  const rule = policies.map(asks).find((one) => one !== undefined);
  for (const policy of policies) {
    const { name } = policy.metadata;
    if (rule === undefined || !name.startsWith("egress-") || asks(policy) !== undefined) continue;
    add(
      `${name} asks the router`,
      "opens",
      of(name, (to) => to.egress.push(rule)),
    );
  }
}

const isOwn = ({ podSelector, namespaceSelector }: End): boolean =>
  podSelector !== undefined && namespaceSelector === undefined;
const isRouter = ({ podSelector }: End): boolean => podSelector?.matchLabels?.["nacre.dev/role"] === "router";

import type { Peer } from "../../lib/blueprint/index.ts";
import type { Environment, KubernetesTarget } from "../../lib/constructs/index.ts";
import type { Manifest } from "../../lib/synth/kubernetes.ts";

/** A pod that is not of the environment's making, and what it is there for. */
export interface Bystander {
  readonly title: string;
  readonly namespace: string;
  readonly name: string;
  readonly part: "ours" | "elsewhere" | "dns" | "inward";
}

type Labels = Readonly<Record<string, string>>;
const NAME = "kubernetes.io/metadata.name";

/** Who else is in the cluster: those that are meant by the settings, those that nearly are, and strangers. */
export class Bystanders {
  readonly all: Bystander[] = [];
  readonly manifests: Manifest[] = [];
  readonly #namespaces = new Set<string>();

  constructor({ target: { settings }, sandboxes }: Environment<KubernetesTarget>, namespace: string) {
    this.#namespaces.add(namespace);
    this.#add("unlabelled", "ours", { namespace, name: "unlabelled" }, {});
    this.#addPeer("DNS", "dns", settings.dns);
    settings.inward.forEach((peer, index) =>
      this.#addPeer(settings.inward.length > 1 ? `inward ${index + 1}` : "inward", "inward", peer),
    );
    this.#add("foreign", "elsewhere", { namespace: "elsewhere", name: "foreign" }, {});
    const sandbox = sandboxes[0]?.identity ?? "";
    for (const role of ["agent", "egress", "router"]) {
      const labels = { "nacre.dev/role": role, ...(role !== "router" && { "nacre.dev/sandbox": sandbox }) };
      const place = { namespace: "elsewhere", name: `false-${role}` };
      this.#add(`false ${role}`, "elsewhere", place, labels);
    }
  }

  /** Whoever the settings mean, and where two labels are asked for, those that have one of them. */
  #addPeer(title: string, part: "dns" | "inward", { namespace, pods }: Peer): void {
    const place = title.toLowerCase().replace(" ", "-");
    const home = namespace[NAME] ?? `${place}-home`;
    this.#add(title, part, { namespace: home, name: place }, pods, namespace);
    if (Object.keys(namespace).length === 0 || Object.keys(pods).length === 0) return;
    this.#add(`beside ${title}`, "elsewhere", { namespace: home, name: `beside-${place}` }, {}, namespace);
    this.#add(`false ${title}`, "elsewhere", { namespace: "elsewhere", name: `false-${place}` }, pods);
  }

  #add(
    title: string,
    part: Bystander["part"],
    at: { readonly namespace: string; readonly name: string },
    labels: Labels,
    namespaceLabels: Labels = {},
  ): void {
    this.all.push({ title, part, ...at });
    if (!this.#namespaces.has(at.namespace)) {
      this.#namespaces.add(at.namespace);
      this.manifests.push({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: at.namespace, labels: { ...namespaceLabels, [NAME]: at.namespace } },
      });
    }
    this.manifests.push({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...at, labels },
      spec: { containers: [{ name: "any", image: "any" }] },
    });
  }
}

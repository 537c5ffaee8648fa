/**
 * Domains by whose labels and annotations Nacre itself, Kubernetes, a mesh, a network, a policy engine or a deployment tool
 * does something else with an object, or with what is in a namespace.
 */
const DOMAINS: readonly string[] = [
  "nacre.dev",
  "kubernetes.io",
  "k8s.io",
  "istio.io",
  "linkerd.io",
  "cilium.io",
  "projectcalico.org",
  "gatekeeper.sh",
  "kyverno.io",
  "sigstore.dev",
  "argoproj.io",
  "fluxcd.io",
];

/** Whether a label or annotation, `[DOMAIN/]NAME`, is one that no user may set. */
export function isSteering(key: string): boolean {
  const [domain, name] = key.split("/");
  if (name === undefined) return /^[a-z-]*istio-injection$/.test(key);
  return DOMAINS.some((each) => domain === each || domain?.endsWith(`.${each}`) === true);
}

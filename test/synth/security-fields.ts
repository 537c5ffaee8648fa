import type { Environment, KubernetesTarget } from "../../lib/constructs/index.ts";
import type { Manifest } from "../../lib/synth/kubernetes.ts";
import {
  ABSENT,
  field,
  filled,
  Must,
  one,
  present,
  valueAt,
  type SecurityField,
  type Where,
} from "./security-field.ts";
import { podFields, type Spec } from "./security-fields-of-pods.ts";

const within = (prefix: readonly (string | number)[], fields: readonly SecurityField[]): SecurityField[] =>
  fields.map((one) => ({ ...one, path: [...prefix, ...one.path] }));

const ROLE = "nacre.dev/role";
const SANDBOX = "nacre.dev/sandbox";
const selectorOf = ({ role, sandbox }: Where): Record<string, string> =>
  role === "router" ? { [ROLE]: role } : { [ROLE]: role, [SANDBOX]: sandbox };
const other = { [ROLE]: "egress", [SANDBOX]: "another" };
const everyone = { kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: "system:authenticated" };

/** Annotations of a pod by which a runtime, a network or a mutating webhook does more than the pod says. */
const orders: readonly SecurityField[] = [
  "k8s.v1.cni.cncf.io/networks",
  "io.katacontainers.config.hypervisor.path",
  "sidecar.istio.io/inject",
].map((name) => field(["metadata", "annotations", name], ABSENT, { weaker: ["yes"] }));

const everything = { apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"], scope: "*" };

/** The fields of each kind, and what must stand in them. A kind without any is written with none. */
const byKind: Readonly<Record<string, (where: Where, manifest: Manifest) => readonly SecurityField[]>> = {
  Deployment: (where, manifest) => [
    field("spec.selector.matchLabels", selectorOf(where), { weaker: [other] }),
    ...(where.role === "router"
      ? []
      : [
          field("spec.replicas", 1, { weaker: [5], narrower: ["0"] }),
          field("spec.strategy.type", "Recreate", { weaker: ["RollingUpdate"] }),
        ]),
    ...within(
      ["spec", "template"],
      [
        field(
          "metadata.labels",
          { ...selectorOf(where), ...(where.role === "agent" && { "nacre.dev/isolation": where.isolation }) },
          { weaker: [other, { ...selectorOf(where), "example.com/reachable": "yes" }] },
        ),
        ...orders,
        ...within(["spec"], podFields(where, valueAt(manifest, ["spec", "template", "spec"]) as Spec)),
      ],
    ),
  ],
  Pod: (where, manifest) => [
    field("metadata.ownerReferences", filled),
    field(["metadata", "labels", ROLE], where.role, { weaker: ["agent", "egress", "router"] }),
    ...orders,
    ...within(["spec"], podFields(where, manifest["spec"] as Spec)),
  ],
  NetworkPolicy: (where, manifest) => [
    field(
      "spec.podSelector",
      { matchLabels: manifest.metadata.name === "default-deny" ? {} : selectorOf(where) },
      { weaker: [{ matchLabels: { none: "such" } }, { matchLabels: other }] },
    ),
    field("spec.policyTypes", ["Ingress", "Egress"], { weaker: [["Ingress"], ["Egress"]] }),
    ...(["ingress", "egress"] as const).flatMap((direction) => trafficFields(direction, manifest)),
  ],
  Role: ({ sandbox }) => [
    field("rules", one, { more: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }] }),
    field("rules.0.apiGroups", [""], { more: ["*"] }),
    field("rules.0.resources", ["configmaps"], { more: ["secrets", "pods/exec", "*"] }),
    field("rules.0.resourceNames", [`policy-${sandbox}`], { more: ["policy-another"], weaker: [[]] }),
    field("rules.0.verbs", ["get", "watch"], { more: ["list", "update", "*"] }),
  ],
  RoleBinding: ({ name, namespace }) => [
    field(
      "roleRef",
      { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      { weaker: [{ apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" }] },
    ),
    field("subjects", [{ kind: "ServiceAccount", name, namespace }], {
      more: [
        everyone,
        { ...everyone, kind: "User", name: "mallory" },
        { kind: "ServiceAccount", name: "default", namespace },
      ],
      weaker: [[everyone]],
      narrower: ["removed"],
    }),
  ],
  ServiceAccount: () => [
    field("automountServiceAccountToken", false),
    field("secrets", ABSENT, { weaker: [[{ name: "token" }]] }),
  ],
  Service: (where) => [
    field("spec.type", "ClusterIP", { weaker: ["NodePort", "LoadBalancer"] }),
    field("spec.externalIPs", [], { more: ["203.0.113.9"] }),
    field("spec.selector", selectorOf(where), { weaker: [other] }),
    field("spec.ports", filled, {
      more: [{ name: "more", protocol: "TCP", port: 9000, targetPort: 15_001 }],
    }),
  ],
  Namespace: () => [
    field(
      ["metadata", "annotations", "nacre.dev/environment"],
      new Must("an environment of a project", (value) => /^[^/]+\/[^/]+$/.test(String(value))),
      { weaker: ["another/prod"] },
    ),
    ...["enforce", "audit", "warn"].flatMap((mode) => [
      field(["metadata", "labels", `pod-security.kubernetes.io/${mode}`], "restricted", {
        weaker: ["baseline", "privileged"],
      }),
      field(["metadata", "labels", `pod-security.kubernetes.io/${mode}-version`], "latest", {
        weaker: ["v1.20"],
      }),
    ]),
  ],
  ConfigMap: (_, { metadata: { name } }) => [
    ...(/^(landlock|seccomp)-/.test(name) ? [field("immutable", true)] : []),
    field("data", present, { weaker: [{ other: "text" }] }),
  ],
  PersistentVolumeClaim: () => [
    field("spec.accessModes", ["ReadWriteOnce"], { more: ["ReadWriteMany"], weaker: [["ReadWriteMany"]] }),
    field("spec.volumeMode", "Filesystem", { weaker: ["Block"] }),
    field("spec.dataSource", ABSENT, {
      weaker: [{ kind: "PersistentVolumeClaim", name: "workspace-another" }],
    }),
    field("spec.volumeName", ABSENT, { weaker: ["somebody-elses"] }),
  ],
  ResourceQuota: () => [
    field(["spec", "hard", "services.nodeports"], "0", { weaker: ["9"] }),
    field(["spec", "hard", "services.loadbalancers"], "0", { weaker: ["9"] }),
    ...["pods", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "requests.storage"].map((what) =>
      field(["spec", "hard", what], present, { weaker: ["100000"] }),
    ),
  ],
  PriorityClass: () => [
    field("value", new Must("a priority below everybody's", (value) => Number(value) < 0), {
      weaker: [1000],
    }),
    field("preemptionPolicy", "Never", { weaker: ["PreemptLowerPriority"] }),
    field("globalDefault", false),
  ],
  ValidatingAdmissionPolicy: () => [
    field("spec.failurePolicy", "Fail", { weaker: ["Ignore"] }),
    field("spec.matchConstraints.namespaceSelector", {}, { weaker: [{ matchLabels: { none: "such" } }] }),
    field("spec.matchConstraints.objectSelector", {}, { weaker: [{ matchLabels: { none: "such" } }] }),
    field("spec.matchConstraints.resourceRules", filled),
    field("spec.matchConstraints.excludeResourceRules", [], { more: [everything] }),
    field("spec.matchConditions", present, {
      narrower: ["removed"],
      more: [{ name: "never", expression: "false" }],
    }),
    field("spec.validations", filled, { weaker: [[{ expression: "true" }]] }),
  ],
  ValidatingAdmissionPolicyBinding: ({ namespace }) => [
    field("spec.validationActions", ["Deny"], { weaker: [["Audit"], ["Warn"]] }),
    field(
      "spec.matchResources.namespaceSelector",
      { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      { weaker: [{ matchLabels: { none: "such" } }] },
    ),
    field("spec.matchResources.objectSelector", {}, { weaker: [{ matchLabels: { none: "such" } }] }),
    field("spec.matchResources.resourceRules", [], {
      more: [{ ...everything, resources: ["leases"] }],
    }),
    field("spec.matchResources.excludeResourceRules", [], { more: [everything] }),
  ],
  LimitRange: () => [],
  PodDisruptionBudget: () => [],
  HorizontalPodAutoscaler: () => [],
};

const anywhere = [{ ipBlock: { cidr: "0.0.0.0/0" } }, { namespaceSelector: {} }, { podSelector: {} }];

/** Every rule of one direction: it names its peers and its ports, and a block of addresses what it leaves out. */
function trafficFields(direction: "ingress" | "egress", manifest: Manifest): SecurityField[] {
  const peers = direction === "ingress" ? "from" : "to";
  type Peer = { readonly ipBlock?: { readonly cidr: string } };
  type Rule = {
    readonly from?: readonly Peer[];
    readonly to?: readonly Peer[];
    readonly ports?: readonly object[];
  };
  const spec = manifest["spec"] as Record<"ingress" | "egress", readonly Rule[]>;
  const rules = spec[direction];
  const words = new Must("the rules that name peers and ports", (value) =>
    (value as readonly Rule[]).every((rule) => rule[peers] !== undefined && rule.ports !== undefined),
  );
  return [
    field(["spec", direction], words, {
      narrower: ["removed"],
      more: [{}, ...anywhere.map((peer) => ({ [peers]: [peer] }))],
    }),
    ...rules.flatMap((rule, index) =>
      within(
        ["spec", direction, index],
        [
          field([peers], filled, { more: anywhere }),
          field(["ports"], filled, {
            more: [{ protocol: "UDP" }, { protocol: "TCP", port: 1, endPort: 65_535 }],
          }),
          ...(rule[peers] ?? []).flatMap(({ ipBlock }, at) =>
            ipBlock === undefined
              ? [field([peers, at, "podSelector"], present, { weaker: [{}] })]
              : [
                  field([peers, at, "ipBlock", "cidr"], present, { weaker: ["0.0.0.0/0"] }),
                  field([peers, at, "ipBlock", "except"], present, { weaker: [[]] }),
                ],
          ),
          ...(rule.ports ?? []).map((port, at) =>
            "port" in port
              ? field(["ports", at, "port"], present, { weaker: [22] })
              : field(["ports", at, "protocol"], "TCP", { weaker: ["UDP"] }),
          ),
        ],
      ),
    ),
  ];
}

/** The fields of one object of an environment. Throws for a kind that nobody has thought about. */
export function securityFieldsOf(
  manifest: Manifest,
  environment: Environment<KubernetesTarget>,
  namespace: string,
): readonly SecurityField[] {
  const fields = byKind[manifest.kind];
  if (fields === undefined) throw new RangeError(`no security fields are written for ${manifest.kind}`);
  return fields(whereOf(manifest, environment, namespace), manifest);
}

function whereOf(
  { metadata: { name } }: Manifest,
  environment: Environment<KubernetesTarget>,
  namespace: string,
): Where {
  const [role = "", ...rest] = name.split("-");
  const sandbox = rest.join("-").replace(/-5f-x$/, "");
  const users: Readonly<Record<string, number>> = { egress: 10_002, router: 10_003, agent: 10_001 };
  const usual = users[role] ?? 0;
  const agent = environment.sandboxes.find(({ identity }) => identity === sandbox);
  const { run_as_user: user, run_as_group: group } = agent?.props.policy?.process ?? {};
  const own = role === "agent";
  return {
    settings: environment.target.settings,
    namespace,
    role,
    sandbox,
    name: role === "router" ? role : `${role}-${sandbox}`,
    user: own && user !== undefined ? Number(user) : usual,
    group: own && group !== undefined ? Number(group) : usual,
    isolation: agent?.props.isolation?.level ?? "kernel",
  };
}

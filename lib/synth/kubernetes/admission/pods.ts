import { changes, type Rule, type Rules } from "./rules.ts";
import { mountRules, volumeRules } from "./volumes.ts";
import { at, Expression, is, isAbsent, isEmpty, literal } from "./cel.ts";
import { madeBy, ofCluster } from "./askers.ts";
import { CONFIG_HASH } from "../egress.ts";
import { CONTROL_PLANE } from "../hatches.ts";
import { ISOLATION, RESTARTED, ROLE, SANDBOX } from "../names.ts";
import { users } from "../pod.ts";
import { ports } from "../ports.ts";
import type { Parts } from "../scope.ts";

const pod = "variables.pod";
const container = "variables.container";
const agent = "variables.agent";

/** A field that is the same in every pod: its path, its value, and what the API takes it for where it is absent. */
type Field = readonly [path: string, value: unknown, absent?: unknown];

/**
 * What pods may be, by whichever way they come. A pod's cleaning up is not judged again, nor a ReplicaSet's scaling down,
 * so what an older version of these rules let in can go; a scaling up is.
 */
export function podRules(parts: Parts): Rules {
  return {
    resources: [
      {
        apiGroups: [""],
        resources: ["pods", "pods/ephemeralcontainers", "pods/resize"],
        operations: changes,
      },
      { apiGroups: ["apps"], resources: ["deployments", "replicasets"], operations: changes },
    ],
    conditions: {
      changed: `request.operation == "CREATE" || request.resource.resource == "deployments" ||
(request.resource.resource == "pods"
  ? object.spec != oldObject.spec || ["labels", "annotations"].exists(notes,
    object.metadata[?notes].orValue({}) != oldObject.metadata[?notes].orValue({}))
  : object.spec.template != oldObject.spec.template ||
    ${replicas("object")} > ${replicas("oldObject")})`,
    },
    variables: {
      kind: "request.resource.resource",
      template: `variables.kind == "pods" ? object : object.spec.template`,
      pod: "variables.template.spec",
      container: `${pod}.containers[0]`,
      labels: `${at("variables.template", "metadata.labels")}.orValue({})`,
      annotations: `${at("variables.template", "metadata.annotations")}.orValue({})`,
      role: `variables.labels[?${literal(ROLE)}].orValue("")`,
      sandbox: `variables.labels[?${literal(SANDBOX)}].orValue("")`,
      agent: `variables.role == "agent"`,
      name: `variables.role == "router" ? "router" : variables.role + "-" + variables.sandbox`,
      volumes: `${at(pod, "volumes")}.orValue([])`,
      mounts: `${at(container, "volumeMounts")}.orValue([])`,
    },
    validations: [
      ...identityRules,
      ...exactly(pod, "spec", podFields(parts)),
      ...exactly(container, "the container's", containerFields),
      ...userRules,
      ...seccompRules(parts),
      ...placeRules(parts),
      ...programRules(parts),
      ...volumeRules(parts),
      ...mountRules,
    ],
  };
}

const replicas = (of: string): string => `${at(of, "spec.replicas")}.orValue(1)`;

const exactly = (root: string, said: string, fields: readonly Field[]): Rule[] =>
  fields.map(([path, value, absent]) => [
    `${said} ${path} is not ${JSON.stringify(value)}`,
    Array.isArray(value) && value.length === 0 ? isEmpty(root, path) : is(root, path, value, absent),
  ]);

const podFields = ({ settings: { userNamespaces } }: Parts): readonly Field[] => [
  ["automountServiceAccountToken", false],
  ["enableServiceLinks", false],
  ["hostNetwork", false, false],
  ["hostPID", false, false],
  ["hostIPC", false, false],
  ["hostUsers", !userNamespaces],
  ["shareProcessNamespace", false],
  ["setHostnameAsFQDN", false],
  ["restartPolicy", "Always"],
  ["os.name", "linux", "linux"],
  ["hostAliases", []],
  ["initContainers", []],
  ["ephemeralContainers", []],
  ["resourceClaims", []],
  ["securityContext.runAsNonRoot", true],
  ["securityContext.supplementalGroups", []],
  ["securityContext.supplementalGroupsPolicy", userNamespaces ? "Strict" : "Merge"],
  ["securityContext.sysctls", []],
];

const containerFields: readonly Field[] = [
  ["securityContext.privileged", false],
  ["securityContext.allowPrivilegeEscalation", false],
  ["securityContext.readOnlyRootFilesystem", true],
  ["securityContext.runAsNonRoot", true],
  ["securityContext.procMount", "Default"],
  ["securityContext.capabilities.drop", ["ALL"]],
  ["securityContext.capabilities.add", []],
  ["envFrom", []],
  ["volumeDevices", []],
  ["stdin", false, false],
  ["stdinOnce", false, false],
  ["tty", false, false],
  ["terminationMessagePolicy", "File", "File"],
  // The kubelet mounts a file there that can be written.
  ["terminationMessagePath", "/dev/termination-log", "/dev/termination-log"],
];

const identityRules: readonly Rule[] = [
  [
    "a pod is an agent's, an egress' or the router's, and says so by its labels alone",
    `variables.role in ["agent", "egress", "router"] && (variables.role == "router") == (variables.sandbox == "") &&
variables.labels.all(key, key in ${literal([ROLE, SANDBOX, ISOLATION, "pod-template-hash"])})`,
  ],
  [
    "it is not called after its role and sandbox",
    `object.metadata.name == variables.name ||
variables.kind != "deployments" && object.metadata.name.startsWith(variables.name + "-")`,
  ],
  [
    "a pod comes from a ReplicaSet, and that from a Deployment: the cluster's own controllers make them",
    `variables.kind == "deployments" || request.operation == "UPDATE" ||
${madeBy('(variables.kind == "pods" ? "replicaset" : "deployment")')} &&
${at("object", "metadata.ownerReferences")}.orValue([]).exists(owner, owner.?controller.orValue(false) &&
  owner.kind == (variables.kind == "pods" ? "ReplicaSet" : "Deployment"))`,
  ],
  [
    "an annotation of a pod is an order for a runtime or a network: none but its configuration's hash and a restart; on one that runs, what nodes and the cluster's own add",
    `variables.annotations.all(key, key in ${literal([CONFIG_HASH, RESTARTED])} || variables.kind == "pods" &&
  request.operation == "UPDATE" && (${ofCluster} || "system:nodes" in request.userInfo.?groups.orValue([]) ||
    variables.annotations[key] == ${at("oldObject", "metadata.annotations")}.orValue({})[?key].orValue("") &&
    key in ${at("oldObject", "metadata.annotations")}.orValue({})))`,
  ],
  [
    "a Deployment selects its own pods alone",
    `variables.kind != "deployments" || object.spec.selector == {"matchLabels": variables.role == "router"
  ? {${literal(ROLE)}: "router"}
  : {${literal(ROLE)}: variables.role, ${literal(SANDBOX)}: variables.sandbox}}`,
  ],
  [
    "two generations of one sandbox do not run at once",
    `variables.kind == "pods" || variables.role == "router" || ${replicas("object")} <= 1 &&
(variables.kind == "replicasets" || ${is("object", "spec.strategy.type", "Recreate")})`,
  ],
  [
    "it runs under another account than its own",
    is(pod, "serviceAccountName", new Expression("variables.name")),
  ],
  [
    "there is one container, called after the role",
    `size(${pod}.containers) == 1 && ${container}.name == variables.role`,
  ],
];

const userRules: readonly Rule[] = [
  ...(["runAsUser", "runAsGroup"] as const).map((field): Rule => {
    const [egress, router] = [users.egress, users.router].map((user) =>
      field === "runAsUser" ? user.user : user.group,
    );
    return [
      `${field} is that of the role, the same for pod and container, and never 0`,
      `${at(pod, `securityContext.${field}`)}.orValue(0) == ${at(container, `securityContext.${field}`)}.orValue(0) &&
${at(container, `securityContext.${field}`)}.orValue(0) > 0 &&
(${agent} || ${is(container, `securityContext.${field}`, egress)} && variables.role == "egress" ||
  ${is(container, `securityContext.${field}`, router)} && variables.role == "router")`,
    ];
  }),
  [
    "fsGroup is not its own group",
    `${at(pod, "securityContext.fsGroup")} == ${at(pod, "securityContext.runAsGroup")}`,
  ],
  ...["seLinuxOptions", "windowsOptions"].map((field): Rule => [
    `${field} is not Nacre's to say`,
    `${isAbsent(pod, `securityContext.${field}`)} && ${isAbsent(container, `securityContext.${field}`)}`,
  ]),
  [
    "AppArmor is the runtime's",
    [pod, container]
      .map((root) => is(root, "securityContext.appArmorProfile.type", "RuntimeDefault", "RuntimeDefault"))
      .join(" && "),
  ],
];

/** A node's own profile is the one whose digest the sandbox' walls have: `seccomp-DIGEST`, and `nacre/DIGEST.json`. */
function seccompRules({ settings: { seccomp } }: Parts): Rule[] {
  const of = (root: string): string => at(root, "securityContext.seccompProfile");
  const runtime = `optional.of({"type": "RuntimeDefault"})`;
  const local = `optional.of({"type": "Localhost", "localhostProfile": "nacre/" + variables.volumes.filter(v, v.name == "walls")
  .map(v, ${at("v", "projected.sources")}.orValue([]).filter(s, ${at("s", "configMap.name")}.orValue("").startsWith("seccomp-")))
  .filter(found, size(found) == 1).map(found, found[0].configMap.name.substring(8)).join() + ".json"})`;
  return [
    [
      "seccompProfile is the runtime's default, or the blueprint's own where nodes hold it; the same for pod and container",
      `${of(pod)} == ${of(container)} && ${of(pod)} == ${
        seccomp === "localhost" ? `(${agent} ? ${local} : ${runtime})` : runtime
      }`,
    ],
  ];
}

/** Where it runs, and how it looks names up. */
const placeRules = ({ settings: { runtimeClasses }, priorities }: Parts): Rule[] => [
  [
    "an agent's RuntimeClass is not that of its isolation; what is Nacre's own has none",
    `${at(pod, "runtimeClassName")}.orValue("") == (${agent}
  ? ${literal({ kernel: "", ...runtimeClasses })}[?variables.labels[?${literal(ISOLATION)}].orValue("")].orValue("none such")
  : "")`,
  ],
  [
    "its node is the scheduler's to choose",
    `request.operation == "UPDATE" && variables.kind == "pods" || ${isAbsent(pod, "nodeName")}`,
  ],
  [
    "no taint of the control plane is tolerated, nor all taints",
    `${at(pod, "tolerations")}.orValue([]).all(t, t.?key.orValue("") != "" && !t.key.startsWith(${literal(CONTROL_PLANE)}))`,
  ],
  [
    "its priority is not that of its role",
    `${at(pod, "priorityClassName")}.orValue("") == (${agent} ? ${literal(priorities.agents)} : ${literal(priorities.services)})`,
  ],
  [
    "an agent asks no DNS but its egress'; the others ask the cluster's",
    `${agent}
  ? ${is(pod, "dnsPolicy", "None")} && ${is(pod, "dnsConfig", { nameservers: ["127.0.0.1"] })}
  : ${is(pod, "dnsPolicy", "ClusterFirst")} && ${isAbsent(pod, "dnsConfig")}`,
  ],
];

/** What runs, with which words, in which bounds. */
function programRules({ settings: { images } }: Parts): Rule[] {
  const service = (name: "egress" | "router"): string =>
    `variables.role == ${literal(name)} && ${is(container, "command", [`/nacre/${name}`])} &&
  ${is(container, "lifecycle", { preStop: { exec: { command: [`/nacre/${name}`, "drain"] } } })} && ${
    // With no image of it there is no such pod.
    images[name] === undefined ? "false" : `${container}.image == ${literal(images[name])}`
  }`;
  const probes = ["readinessProbe", "livenessProbe", "startupProbe"];
  const { health } = ports;
  return [
    ["an image has to be named by its digest", `${container}.image.matches("^[^@]+@sha256:[0-9a-f]{64}$")`],
    [
      "the egress and the router are their own images' programs, with no word added",
      `${agent} || ${isEmpty(container, "args")} && ${isEmpty(container, "env")} && (${service("egress")} ||
  ${service("router")})`,
    ],
    [
      "a variable holds what is written: from no Secret, field or file",
      `${at(container, "env")}.orValue([]).all(e, !has(e.valueFrom))`,
    ],
    [
      "its program starts in its image's own folder, and its limits are its container's",
      `${isAbsent(container, "workingDir")} && ${isAbsent(pod, "resources")}`,
    ],
    [
      "an agent has no hook: it would run outside the launcher",
      `!${agent} || ${isAbsent(container, "lifecycle")}`,
    ],
    [
      "a probe runs nothing and asks the pod alone; Nacre's own is asked on its port of health",
      probes
        .map(
          (probe) =>
            `${isAbsent(container, `${probe}.exec`)} && ${isAbsent(container, `${probe}.httpGet.host`)} && ${isAbsent(container, `${probe}.tcpSocket.host`)} &&
  (${agent} || ${isAbsent(container, probe)} || ${is(container, `${probe}.httpGet.port`, health)})`,
        )
        .join(" &&\n"),
    ],
    [
      "no port of the node is taken",
      `${at(container, "ports")}.orValue([]).all(p, p.?hostPort.orValue(0) == 0 && !has(p.hostIP))`,
    ],
    [
      "limits of cpu, memory and ephemeral-storage, and of nothing else: a device is a way out",
      `${at(container, "resources.limits")}.orValue({}).all(name, name in ["cpu", "memory", "ephemeral-storage"]) &&
size(${at(container, "resources.limits")}.orValue({})) == 3 && ${isEmpty(container, "resources.claims")}`,
    ],
  ];
}

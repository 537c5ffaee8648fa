import { isDeepStrictEqual } from "node:util";
import { ABSENT, field, Must, one, present, type SecurityField, type Where } from "./security-field.ts";

const digest = "0".repeat(64);
const sidecar = { name: "more", image: `registry.example/evil@sha256:${digest}` };

interface Volume {
  readonly name: string;
  readonly persistentVolumeClaim?: object;
  readonly emptyDir?: object;
  readonly configMap?: object;
  readonly secret?: object;
  readonly projected?: { readonly sources: readonly { readonly configMap?: object }[] };
}

/** What the fields of a pod's volumes are counted from. */
interface Mount {
  readonly readOnly: boolean;
  readonly subPath?: string;
}

export interface Spec {
  readonly volumes: readonly Volume[];
  readonly containers: readonly { readonly volumeMounts: readonly Mount[] }[];
}

const rules = (kind: string): object => ({
  configMap: {
    name: new RegExp(`^${kind}-[0-9a-f]{32}$`),
    items: [{ key: `${kind}.json`, path: `${kind}.json` }],
  },
});
const config = (name: string, map: RegExp): object => ({
  name,
  configMap: { name: map, defaultMode: 0o444, optional: false },
});
const secret = (name: string | RegExp, items: readonly object[]): object => ({
  name,
  secret: { secretName: /./, optional: false, defaultMode: 0o440, items },
});
const key = secret(/^secret-/, [
  { key: /./, path: "value" },
  { key: "nacre-for", path: "for" },
]);
const memory = { name: "scratch", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } };
const token = {
  defaultMode: 0o440,
  sources: [
    { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
  ],
};

/** The volumes that a pod of each role may have. */
const volumes: Readonly<Record<string, readonly object[]>> = {
  agent: [
    { name: "workspace", persistentVolumeClaim: { claimName: /^workspace-/, readOnly: false } },
    { name: /^scratch-[0-9]+$/, emptyDir: { sizeLimit: /^[0-9]+[MG]i$/ } },
    { name: "walls", projected: { defaultMode: 0o444, sources: [rules("landlock"), rules("seccomp")] } },
  ],
  egress: [
    config("config", /^egress-/),
    config("policy", /^policy-/),
    { name: "token", projected: token },
    key,
    memory,
  ],
  router: [config("config", /^router$/), key, secret("budgets", [{ key: "url", path: "url" }]), memory],
};

const told = (name: string | RegExp, mountPath: string | RegExp): object => ({
  name,
  mountPath,
  readOnly: true,
});

/** And where they may be. */
const mounts: Readonly<Record<string, readonly object[]>> = {
  agent: [
    { name: /^scratch-[0-9]+$/, mountPath: /^\/(?!etc\/nacre)/, readOnly: false },
    { name: "workspace", mountPath: /^\/(?!etc\/nacre)/, subPath: /^[^/]/, readOnly: false },
    told("walls", "/etc/nacre/walls"),
  ],
  egress: [
    told("config", "/etc/nacre/egress"),
    told("policy", "/etc/nacre/policy"),
    told("token", "/var/run/secrets/kubernetes.io/serviceaccount"),
    told(/^secret-/, /^\/etc\/nacre\/secrets\//),
    { name: "scratch", mountPath: "/tmp", readOnly: false },
  ],
  router: [
    told("config", "/etc/nacre/router"),
    told(/^secret-/, /^\/etc\/nacre\/secrets\//),
    told("budgets", "/etc/nacre/budgets"),
    { name: "scratch", mountPath: "/tmp", readOnly: false },
  ],
};

const everyIsLike =
  (shapes: Readonly<Record<string, readonly object[]>>, role: string) =>
  (value: unknown): boolean =>
    Array.isArray(value) &&
    value.every((member) => (shapes[role] ?? []).some((shape) => isLike(member, shape)));

/** Equal, where a pattern stands for the texts that it matches. */
function isLike(value: unknown, shape: unknown): boolean {
  if (shape instanceof RegExp) return typeof value === "string" && shape.test(value);
  if (typeof shape !== "object" || shape === null) return isDeepStrictEqual(value, shape);
  if (typeof value !== "object" || value === null) return false;
  const [given, wanted] = [value as Record<string, unknown>, shape as Record<string, unknown>];
  return (
    isDeepStrictEqual(Object.keys(given).sort(), Object.keys(wanted).sort()) &&
    Object.entries(wanted).every(([name, entry]) => isLike(given[name], entry))
  );
}

/** What each pod of a role must have; paths are of its spec. */
export function podFields(where: Where, spec: Spec): readonly SecurityField[] {
  const { settings, role, name, namespace, user, group, isolation } = where;
  const agent = role === "agent";
  const own = settings.userNamespaces;
  const runtimeClass = agent && isolation !== "kernel" ? settings.runtimeClasses[isolation] : ABSENT;
  return [
    field("serviceAccountName", name, { weaker: ["default"] }),
    field("automountServiceAccountToken", false),
    field("enableServiceLinks", false),
    field("hostNetwork", false),
    field("hostPID", false),
    field("hostIPC", false),
    field("hostUsers", !own),
    field("shareProcessNamespace", false),
    field("setHostnameAsFQDN", false),
    field("restartPolicy", "Always", { weaker: ["Never"] }),
    field("os.name", "linux", { weaker: ["windows"] }),
    field("runtimeClassName", runtimeClass, { weaker: ["kata"].filter((name) => name !== runtimeClass) }),
    field("priorityClassName", `${namespace}-${agent ? "agents" : "services"}`, {
      weaker: ["system-node-critical"],
    }),
    field("nodeName", ABSENT, { weaker: ["node"] }),
    field("dnsPolicy", agent ? "None" : "ClusterFirst", { weaker: ["Default"] }),
    agent
      ? field(
          "dnsConfig",
          { nameservers: ["127.0.0.1"], searches: [], options: [] },
          {
            weaker: [{ nameservers: ["192.0.2.1"] }],
          },
        )
      : field("dnsConfig", ABSENT, { weaker: [{ nameservers: ["192.0.2.1"] }] }),
    field("hostAliases", [], { more: [{ ip: "192.0.2.1", hostnames: ["api.github.com"] }] }),
    field("tolerations", [], {
      more: [{ operator: "Exists" }, { key: "node-role.kubernetes.io/control-plane", operator: "Exists" }],
    }),
    field("resources", ABSENT, { weaker: [{ limits: { memory: "8Gi" } }] }),
    field("resourceClaims", [], { more: [{ name: "device", resourceClaimName: "device" }] }),
    field("initContainers", [], { more: [sidecar] }),
    field("ephemeralContainers", [], { more: [sidecar] }),
    field("containers", one, { more: [sidecar] }),
    field("volumes", new Must("volumes of its role", everyIsLike(volumes, role)), {
      more: [
        { hostPath: { path: "/" } },
        { csi: { driver: "secrets-store.csi.k8s.io" } },
        { nfs: { server: "192.0.2.1", path: "/" } },
        { secret: { secretName: "another" } },
        { configMap: { name: "another" } },
        { persistentVolumeClaim: { claimName: "workspace-another" } },
        { emptyDir: {} },
        { projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 86_400 } }] } },
        { downwardAPI: { items: [{ path: "uid", fieldRef: { fieldPath: "metadata.uid" } }] } },
      ].map((source) => ({ name: "more", ...source })),
    }),
    field("securityContext.runAsNonRoot", true),
    field("securityContext.runAsUser", user),
    field("securityContext.runAsGroup", group),
    field("securityContext.fsGroup", group),
    field("securityContext.supplementalGroups", [], { more: [0] }),
    field("securityContext.supplementalGroupsPolicy", own ? "Strict" : "Merge", {
      weaker: own ? ["Merge"] : [],
    }),
    field("securityContext.sysctls", [], {
      more: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
    }),
    ...profileFields(where),
    ...volumeFields(spec),
    ...mountFields(spec),
    ...containerFields(where).map((one) => ({ ...one, path: ["containers", 0, ...one.path] })),
  ];
}

/** What each volume there says. */
function volumeFields(spec: Spec): SecurityField[] {
  return spec.volumes.flatMap((volume, index) => {
    const of = (path: string, more: Parameters<typeof field>[2] = {}): SecurityField =>
      field(["volumes", index, ...path.split(".")], present, more);
    return [
      ...(volume.persistentVolumeClaim === undefined
        ? []
        : [of("persistentVolumeClaim.claimName", { weaker: ["workspace-another"] })]),
      ...(volume.emptyDir === undefined ? [] : [of("emptyDir.sizeLimit")]),
      ...(volume.configMap === undefined
        ? []
        : [
            of("configMap.name", { weaker: ["another"] }),
            of("configMap.optional", { weaker: [true] }),
            of("configMap.defaultMode", { weaker: [0o777] }),
            field(["volumes", index, "configMap", "items"], ABSENT, {
              weaker: [[{ key: "policy.yaml", path: "launcher" }]],
            }),
          ]),
      ...(volume.projected === undefined
        ? []
        : [
            of("projected.defaultMode", { weaker: [0o777] }),
            of("projected.sources", { more: [{ serviceAccountToken: { path: "more" } }] }),
          ]),
      ...(volume.secret === undefined
        ? []
        : [
            of("secret.secretName", { weaker: ["another"] }),
            of("secret.optional", { weaker: [true] }),
            of("secret.defaultMode", { weaker: [0o777] }),
            of("secret.items", { weaker: [[{ key: "value", path: "value" }]] }),
          ]),
      ...(volume.projected?.sources ?? []).flatMap(({ configMap }, source) => {
        const path = `projected.sources.${source}`;
        if (configMap !== undefined) {
          return [of(`${path}.configMap.name`, { weaker: ["another"] }), of(`${path}.configMap.items`)];
        }
        return [
          of(`${path}.serviceAccountToken.expirationSeconds`, { weaker: [86_400] }),
          field(["volumes", index, ...`${path}.serviceAccountToken.audience`.split(".")], ABSENT, {
            weaker: ["vault"],
          }),
        ];
      }),
    ];
  });
}

const mountFields = ({ containers: [container] }: Spec): SecurityField[] =>
  (container?.volumeMounts ?? []).flatMap(({ readOnly, subPath }, index) => [
    field(["containers", 0, "volumeMounts", index, "mountPath"], present, {
      weaker: [
        "/etc/nacre/elsewhere",
        "/nacre",
        "/etc/ssl/certs",
        "//etc/nacre/walls",
        "/tmp/../etc",
        "/tmp/",
        "/",
      ],
    }),
    field(["containers", 0, "volumeMounts", index, "subPath"], subPath ?? ABSENT, {
      weaker: ["another"],
    }),
    ...(readOnly ? [field(["containers", 0, "volumeMounts", index, "readOnly"], true)] : []),
  ]);

const localhost = new Must("a profile of the blueprint's that nodes hold", (value) =>
  isLike(value, { type: "Localhost", localhostProfile: /^nacre\/[0-9a-f]{32}\.json$/ }),
);

/** What pod and container both say of seccomp, AppArmor, SELinux and Windows. */
function profileFields({ role, settings }: Where): SecurityField[] {
  const local = role === "agent" && settings.seccomp === "localhost";
  const weaker = ["Unconfined", ...(local ? ["RuntimeDefault"] : [])].map((type) => ({ type }));
  return [
    local
      ? field("securityContext.seccompProfile", localhost, {
          weaker: [...weaker, { type: "Localhost", localhostProfile: "open.json" }],
        })
      : field("securityContext.seccompProfile", { type: "RuntimeDefault" }, { weaker }),
    field("securityContext.seccompProfile.type", local ? "Localhost" : "RuntimeDefault"),
    field("securityContext.appArmorProfile", ABSENT, { weaker: [{ type: "Unconfined" }] }),
    field("securityContext.seLinuxOptions", ABSENT, { weaker: [{ type: "spc_t" }, { level: "s0" }] }),
    field("securityContext.windowsOptions", ABSENT, { weaker: [{ hostProcess: true }] }),
  ];
}

function containerFields(where: Where): SecurityField[] {
  const { role, user, group } = where;
  const agent = role === "agent";
  const byDigest = new Must("an image by its digest", (value) => /@sha256:[0-9a-f]{64}$/.test(String(value)));
  const fromSecret = { name: "MORE", valueFrom: { secretKeyRef: { name: "another", key: "value" } } };
  return [
    field("name", role, { weaker: ["other"] }),
    field("image", byDigest, { weaker: ["registry.example/evil:latest", sidecar.image] }),
    ...(agent
      ? []
      : [
          field("command", [`/nacre/${role}`], { weaker: [["sh"]] }),
          field("args", [], { more: ["--more"] }),
        ]),
    field("env", agent ? present : [], {
      narrower: ["removed"],
      more: [fromSecret, ...(agent ? [] : [{ name: "MORE", value: "text" }])],
    }),
    field("envFrom", [], { more: [{ secretRef: { name: "another" } }] }),
    field("volumeDevices", [], { more: [{ name: "workspace", devicePath: "/dev/sda" }] }),
    field("volumeMounts", new Must("mounts of its role", everyIsLike(mounts, role)), {
      weaker: [[]],
      more: [
        { name: agent ? "scratch-0" : "scratch", mountPath: "/etc/nacre/more" },
        {
          name: agent ? "walls" : "config",
          mountPath: "/more",
          mountPropagation: "Bidirectional",
          readOnly: true,
        },
        {
          name: agent ? "walls" : "config",
          mountPath: "/more",
          mountPropagation: "HostToContainer",
          readOnly: true,
        },
        { name: agent ? "walls" : "config", mountPath: "/more", readOnly: false },
        { name: agent ? "walls" : "config", mountPath: "/more", readOnly: true },
        { name: agent ? "scratch-0" : "scratch", mountPath: "/nacre", readOnly: true },
      ],
    }),
    field("ports", present, { more: [{ containerPort: 9, hostPort: 9 }], narrower: ["removed"] }),
    field("resources.limits", present, { weaker: [{}] }),
    ...["cpu", "memory", "ephemeral-storage"].map((what) => field(["resources", "limits", what], present)),
    field(["resources", "limits", "example.com/gpu"], ABSENT, { weaker: ["1"] }),
    field("lifecycle", agent ? ABSENT : { preStop: { exec: { command: [`/nacre/${role}`, "drain"] } } }, {
      weaker: [{ postStart: { exec: { command: ["sh"] } } }],
    }),
    ...["readinessProbe", "livenessProbe", "startupProbe"].map((probe) =>
      field(probe, agent || probe === "startupProbe" ? ABSENT : present, {
        narrower: ["removed"],
        weaker: [{ exec: { command: ["sh"] } }, { httpGet: { host: "169.254.169.254", port: 15_020 } }],
      }),
    ),
    field("stdin", false),
    field("stdinOnce", false),
    field("tty", false),
    field("terminationMessagePolicy", "File", { weaker: ["FallbackToLogsOnError"] }),
    field("terminationMessagePath", "/dev/termination-log", { weaker: ["/nacre/launcher", "/etc/passwd"] }),
    field("workingDir", ABSENT, { weaker: ["/tmp"] }),
    field("securityContext", present, { weaker: [{}, { privileged: true }] }),
    field("securityContext.privileged", false),
    field("securityContext.allowPrivilegeEscalation", false),
    field("securityContext.readOnlyRootFilesystem", true),
    field("securityContext.runAsNonRoot", true),
    field("securityContext.runAsUser", user),
    field("securityContext.runAsGroup", group),
    field("securityContext.procMount", "Default", { weaker: ["Unmasked"] }),
    field("securityContext.capabilities.drop", ["ALL"], { weaker: [[], ["NET_RAW"]] }),
    field("securityContext.capabilities.add", [], { more: ["SYS_ADMIN", "NET_BIND_SERVICE"] }),
    ...profileFields(where),
  ];
}

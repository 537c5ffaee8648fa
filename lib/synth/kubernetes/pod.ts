import { JsonPatch, type k8s } from "./k8s.ts";
import type { Manifest } from "./manifest.ts";

/** Who a pod runs as; numbers, since `runAsNonRoot` cannot look a name up. */
export interface User {
  readonly user: number;
  readonly group: number;
}

export const users = {
  agent: { user: 10_001, group: 10_001 },
  egress: { user: 10_002, group: 10_002 },
  router: { user: 10_003, group: 10_003 },
} as const satisfies Record<string, User>;

/** Which system calls the runtime lets through. */
export type Seccomp =
  { readonly type: "RuntimeDefault" } | { readonly type: "Localhost"; readonly localhostProfile: string };

export const runtimeDefault: Seccomp = { type: "RuntimeDefault" };

export interface PodParts {
  readonly serviceAccount: string;
  readonly priorityClass: string;
  readonly user: User;
  readonly seccomp: Seccomp;
  /** A user namespace of its own. */
  readonly ownUsers: boolean;
  readonly runtimeClass?: string | undefined;
  readonly graceSeconds: number;
  readonly containers: k8s.Container[];
  readonly volumes: k8s.Volume[];
  readonly dns?: Pick<k8s.PodSpec, "dnsPolicy" | "dnsConfig">;
  readonly spread?: k8s.TopologySpreadConstraint[];
}

/**
 * A pod that Pod Security `restricted` takes, and more. Every field that weakens it elsewhere is written, also where it
 * says the default: what is not written is invisible to whoever compares.
 */
export function hardenedPod(parts: PodParts): k8s.PodSpec {
  return {
    serviceAccountName: parts.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    hostUsers: !parts.ownUsers,
    shareProcessNamespace: false,
    ...(parts.runtimeClass === undefined ? {} : { runtimeClassName: parts.runtimeClass }),
    priorityClassName: parts.priorityClass,
    restartPolicy: "Always",
    terminationGracePeriodSeconds: parts.graceSeconds,
    os: { name: "linux" },
    dnsPolicy: parts.dns?.dnsPolicy ?? "ClusterFirst",
    ...(parts.dns?.dnsConfig && { dnsConfig: parts.dns.dnsConfig }),
    hostAliases: [],
    setHostnameAsFqdn: false,
    schedulerName: "default-scheduler",
    schedulingGates: [],
    readinessGates: [],
    resourceClaims: [],
    tolerations: [],
    imagePullSecrets: [],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: parts.user.user,
      runAsGroup: parts.user.group,
      fsGroup: parts.user.group,
      fsGroupChangePolicy: "OnRootMismatch",
      supplementalGroups: [],
      sysctls: [],
      seccompProfile: { ...parts.seccomp },
    },
    ...(parts.spread && { topologySpreadConstraints: parts.spread }),
    initContainers: [],
    ephemeralContainers: [],
    containers: parts.containers.map(complete),
    volumes: parts.volumes,
  };
}

/** The same of every container: what it has none of, and its log is no part of the pod's status. */
const complete = (container: k8s.Container): k8s.Container => ({
  ...container,
  envFrom: [],
  volumeDevices: [],
  stdin: false,
  stdinOnce: false,
  tty: false,
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
});

/**
 * Fields that are younger than the types of 1.28, and that those drop. `Strict`: the image's own `/etc/group` gives the
 * pod's user no group. It needs what a user namespace needs of the nodes (containerd 2.0, CRI-O 1.31), so one setting
 * says both.
 */
export function withYoungerFields(manifest: Manifest, ownUsers: boolean): Manifest {
  if (manifest.kind !== "Deployment") return manifest;
  const path = "/spec/template/spec/securityContext/supplementalGroupsPolicy";
  return JsonPatch.apply(manifest, JsonPatch.add(path, ownUsers ? "Strict" : "Merge")) as Manifest;
}

/** The same for each container: what a pod says holds only where its containers do not say otherwise. */
export function hardenedContainer({ user, group }: User, seccomp: Seccomp): k8s.SecurityContext {
  return {
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: group,
    procMount: "Default",
    capabilities: { add: [], drop: ["ALL"] },
    seccompProfile: { ...seccomp },
  };
}

import { stringify } from "yaml";
import type { GatewaySettings } from "../../blueprint/index.ts";

/** A file of the container, there before K3s starts. */
export interface GatewayFile {
  readonly path: string;
  /** Four digits, the first a zero. */
  readonly mode: string;
  readonly content: string;
}

export const paths = {
  admission: "/etc/nacre/admission.yaml",
  auditPolicy: "/etc/nacre/audit.yaml",
  resolver: "/etc/nacre/resolv.conf",
  /** In the volume: records outlive the container. */
  auditLog: "/var/lib/rancher/k3s/server/logs/audit.log",
} as const;

export function filesOf({ audit, dns }: GatewaySettings): GatewayFile[] {
  return [
    file(paths.admission, stringify(admission)),
    ...(audit === "none" ? [] : [file(paths.auditPolicy, stringify(auditPolicy(audit)))]),
    ...(dns.length === 0
      ? []
      : [file(paths.resolver, dns.map((address) => `nameserver ${address}\n`).join(""))]),
  ];
}

const file = (path: string, content: string): GatewayFile => ({ path, mode: "0600", content });

/**
 * Pod Security for every namespace that says nothing of its own. K3s' own parts live in `kube-system`, and cannot be
 * `restricted`: they are what the node is made of.
 */
const admission = {
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AdmissionConfiguration",
  plugins: [
    {
      name: "PodSecurity",
      configuration: {
        apiVersion: "pod-security.admission.config.k8s.io/v1",
        kind: "PodSecurityConfiguration",
        defaults: {
          enforce: "restricted",
          "enforce-version": "latest",
          audit: "restricted",
          "audit-version": "latest",
          warn: "restricted",
          "warn-version": "latest",
        },
        exemptions: { usernames: [], runtimeClasses: [], namespaces: ["kube-system"] },
      },
    },
  ],
};

/** The first rule that fits decides, so what must never be recorded with its body stands before what may. */
const auditPolicy = (level: "metadata" | "request"): object => ({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  omitManagedFields: true,
  rules: [
    {
      level: "Metadata",
      resources: [
        { group: "", resources: ["secrets", "configmaps", "serviceaccounts/token"] },
        { group: "authentication.k8s.io", resources: ["tokenreviews"] },
      ],
    },
    { level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"] },
    {
      level: "None",
      verbs: ["get", "update"],
      resources: [{ group: "coordination.k8s.io", resources: ["leases"] }],
    },
    {
      level: "None",
      resources: [
        { group: "", resources: ["events"] },
        { group: "events.k8s.io", resources: ["events"] },
      ],
    },
    { level: level === "request" ? "Request" : "Metadata" },
  ],
});

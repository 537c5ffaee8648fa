import { join } from "node:path";
import type { Certificates } from "./certificates.ts";

/** Where one control plane lives: its folder, its ports on loopback, its files. */
export interface Layout {
  readonly folder: string;
  readonly certificates: Certificates;
  readonly port: number;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly auditLog: string;
  readonly admissionConfig: string | undefined;
  readonly auditPolicy: string | undefined;
  readonly encryption: string | undefined;
  readonly more: readonly string[];
}

/** Answers only those whom the authority has certified. Nothing here must outlive a power cut, so no fsync. */
export function etcdArgs({ folder, certificates, etcdPort, etcdPeerPort }: Layout): string[] {
  const { authority, server } = certificates;
  const [client, peer] = [`https://127.0.0.1:${etcdPort}`, `https://127.0.0.1:${etcdPeerPort}`];
  return [
    `--data-dir=${join(folder, "etcd")}`,
    "--unsafe-no-fsync",
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    ...["", "peer-"].flatMap((prefix) => [
      `--${prefix}trusted-ca-file=${authority}`,
      `--${prefix}cert-file=${server.certificate}`,
      `--${prefix}key-file=${server.key}`,
      `--${prefix}client-cert-auth`,
    ]),
  ];
}

export function apiserverArgs(layout: Layout): string[] {
  const { authority, server, admin, accounts } = layout.certificates;
  return [
    "--bind-address=127.0.0.1",
    `--secure-port=${layout.port}`,
    `--etcd-servers=https://127.0.0.1:${layout.etcdPort}`,
    `--etcd-cafile=${authority}`,
    `--etcd-certfile=${admin.certificate}`,
    `--etcd-keyfile=${admin.key}`,
    `--tls-cert-file=${server.certificate}`,
    `--tls-private-key-file=${server.key}`,
    `--client-ca-file=${authority}`,
    "--authorization-mode=Node,RBAC",
    "--anonymous-auth=false",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-signing-key-file=${accounts.key}`,
    `--service-account-key-file=${accounts.publicKey}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    "--endpoint-reconciler-type=none", // the Service `kubernetes` cannot have an endpoint on loopback
    "--allow-privileged=true", // as clusters have it: who refuses a privileged Pod is Pod Security
    ...option("admission-control-config-file", layout.admissionConfig),
    ...option("encryption-provider-config", layout.encryption),
    ...option("audit-policy-file", layout.auditPolicy),
    ...option("audit-log-path", layout.auditPolicy && layout.auditLog),
    ...layout.more,
  ];
}

export function controllerArgs({ folder, certificates }: Layout): string[] {
  return [
    `--kubeconfig=${join(folder, "controllers.kubeconfig")}`,
    `--service-account-private-key-file=${certificates.accounts.key}`,
    `--root-ca-file=${certificates.authority}`,
    "--use-service-account-credentials",
    "--leader-elect=false",
    "--secure-port=0",
  ];
}

const option = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : [`--${name}=${value}`];

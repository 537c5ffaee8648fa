import { createHash } from "node:crypto";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { NacreError } from "../error.ts";

/** How the cluster's administrator is let in: what K3s writes for one. The key is a secret. */
export interface ClusterAccess {
  /** PEM: the authority that signs the API server's certificate. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Where K3s writes it, in its container. */
export const K3S_KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";

const pem = (of: string) =>
  z
    .base64()
    .transform((text) => Buffer.from(text, "base64").toString("utf8"))
    .refine(
      (text) => new RegExp(`^-----BEGIN ${of}-----\n`).test(text),
      `is no PEM of a ${of.toLowerCase()}`,
    );

const schema = z.object({
  clusters: z
    .array(z.object({ cluster: z.object({ "certificate-authority-data": pem("CERTIFICATE") }) }))
    .length(1),
  users: z
    .array(
      z.object({
        user: z.object({
          "client-certificate-data": pem("CERTIFICATE"),
          "client-key-data": pem("(EC |RSA |)PRIVATE KEY"),
        }),
      }),
    )
    .length(1),
});

/**
 * Takes three values out of K3s' file, and nothing else: whoever broke into the container could have written one that
 * makes every client of it run a program (`exec`) on this machine.
 * @throws NacreError `kubeconfig_invalid`
 */
export function readAccess(text: string, subject: string): ClusterAccess {
  const fault = (message: string): NacreError =>
    new NacreError({ code: "kubeconfig_invalid", subject, message });
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch {
    throw fault("is no YAML"); // Not the parser's words: they quote the file.
  }
  const found = schema.safeParse(value);
  if (!found.success)
    throw fault(found.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  const [{ cluster }, { user }] = [found.data.clusters[0], found.data.users[0]] as [
    (typeof found.data.clusters)[number],
    (typeof found.data.users)[number],
  ];
  return {
    authority: cluster["certificate-authority-data"],
    certificate: user["client-certificate-data"],
    key: user["client-key-data"],
  };
}

/** The file for clients of this machine. Clusters, users and contexts are called after the gateway, so that several can be merged. */
export function kubeconfigText(name: string, server: string, access: ClusterAccess): string {
  const data = (text: string): string => Buffer.from(text).toString("base64");
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server, "certificate-authority-data": data(access.authority) } }],
      users: [
        {
          name,
          user: {
            "client-certificate-data": data(access.certificate),
            "client-key-data": data(access.key),
          },
        },
      ],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    },
    { lineWidth: 0 },
  );
}

/** Which cluster it is, whatever its address: another authority is another cluster. Says nothing that is secret. */
export const clusterIdentifier = ({ authority }: ClusterAccess): string =>
  `k3s-${createHash("sha256").update(authority.trim()).digest("hex").slice(0, 32)}`;

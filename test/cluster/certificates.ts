import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** A key and its certificate, as paths. */
export interface Identity {
  readonly key: string;
  readonly certificate: string;
}

/** Everyone who speaks in a control plane, under one authority of its own that nothing else trusts. */
export interface Certificates {
  readonly authority: string;
  /** The API server and etcd, on loopback. */
  readonly server: Identity;
  /** In `system:masters`: RBAC is not asked. */
  readonly admin: Identity;
  readonly controllers: Identity;
  /** Signs the tokens of ServiceAccounts. */
  readonly accounts: { readonly key: string; readonly publicKey: string };
}

const names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc";

export async function certificatesIn(folder: string): Promise<Certificates> {
  const file = (name: string): string => join(folder, name);
  const identity = (name: string): Identity => ({
    key: file(`${name}.key`),
    certificate: file(`${name}.crt`),
  });
  const certify = async (name: string, subject: string, ...args: string[]): Promise<Identity> => {
    const { key, certificate } = identity(name);
    const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
    await openssl("req", "-x509", "-days", "2", "-subj", subject, ...fresh, "-out", certificate, ...args);
    return { key, certificate };
  };

  const root = await certify(
    "authority",
    "/CN=nacre test cluster",
    "-addext",
    "keyUsage=keyCertSign,cRLSign",
  );
  const signed = ["-CA", root.certificate, "-CAkey", root.key, "-addext", "basicConstraints=CA:FALSE"];
  const [server, admin, controllers] = await Promise.all([
    certify("server", "/CN=kube-apiserver", ...signed, "-addext", names),
    certify("admin", "/O=system:masters/CN=admin", ...signed),
    certify("controllers", "/CN=system:kube-controller-manager", ...signed),
  ]);
  const accounts = { key: file("accounts.key"), publicKey: file("accounts.pub") };
  await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", accounts.key);
  await openssl("ec", "-in", accounts.key, "-pubout", "-out", accounts.publicKey);
  return { authority: root.certificate, server, admin, controllers, accounts };
}

const openssl = (...args: string[]): Promise<unknown> => promisify(execFile)("openssl", args);

/** `data` as base64, so that the content alone is enough too. */
export async function writeKubeconfig(
  path: string,
  url: string,
  data: { readonly authority: Buffer; readonly certificate: Buffer; readonly key: Buffer },
): Promise<void> {
  const text = (bytes: Buffer): string => bytes.toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "test", cluster: { server: url, "certificate-authority-data": text(data.authority) } },
    ],
    users: [
      {
        name: "test",
        user: { "client-certificate-data": text(data.certificate), "client-key-data": text(data.key) },
      },
    ],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
  await writeFile(path, JSON.stringify(config, null, 2), { mode: 0o600 }); // JSON is YAML
}

import fs from "node:fs";
import path from "node:path";
import tls from "node:tls";

/** Where the distributions keep their bundle: Debian, Fedora and RHEL, SUSE, Alpine, older RHEL. */
const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
];

/**
 * The authorities that an upstream's certificate may come from: the runtime's own, and the system's, which on many
 * networks holds one more (decided by the operator, who owns both). `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the
 * distribution's bundle, as for OpenSSL. PEM, one certificate each.
 */
export function trustedAuthorities(
  environment: Readonly<Record<string, string | undefined>>,
  bundlePaths: readonly string[] = bundles,
): readonly string[] {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: folders } = environment;
  const system: string[] = [];
  if (file !== undefined && file !== "") system.push(...certificatesIn(file));
  for (const folder of (folders ?? "").split(":"))
    if (folder !== "") system.push(...certificatesUnder(folder));
  const distribution = bundlePaths.map(certificatesIn).find((certificates) => certificates.length > 0) ?? [];
  return [...new Set([...tls.rootCertificates, ...(system.length > 0 ? system : distribution)])];
}

function certificatesIn(file: string): string[] {
  let text: string;
  try {
    text = fs.readFileSync(file, "latin1");
  } catch {
    return [];
  }
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function certificatesUnder(folder: string): string[] {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => certificatesIn(path.join(folder, name)));
}

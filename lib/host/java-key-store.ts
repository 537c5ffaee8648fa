import { createHash, X509Certificate } from "node:crypto";

/**
 * A trust store that Java reads in place of its own (`cacerts`): the JKS format, version 2, trusted certificates alone. Its
 * password only guards against mistakes, and is the one that everybody's has.
 * @param bundle PEM, any number of certificates; what cannot be read is left out, as OpenSSL does
 */
export function javaKeyStore(bundle: string): Buffer {
  const certificates = (
    bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  ).flatMap(der);
  const parts: Buffer[] = [int(0xfeedfeed), int(2), int(certificates.length)];
  for (const [index, certificate] of certificates.entries()) {
    parts.push(
      int(trusted),
      utf(`nacre-${index}`),
      Buffer.alloc(8),
      utf("X.509"),
      int(certificate.length),
      certificate,
    );
  }
  const store = Buffer.concat(parts);
  const digest = createHash("sha1")
    .update(Buffer.from(password, "utf16le").swap16())
    .update(salt)
    .update(store);
  return Buffer.concat([store, digest.digest()]);
}

const trusted = 2;
const password = "changeit";
/** Fixed by the format. */
const salt = "Mighty Aphrodite";

function der(pem: string): Buffer[] {
  try {
    return [new X509Certificate(pem).raw];
  } catch {
    return [];
  }
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function utf(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  createPrivateKey,
  createPublicKey,
} from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import * as asn from "@peculiar/asn1-x509";
import { commonName, extension, signCertificate } from "./certificate.ts";

/**
 * One certificate authority per sandbox. The daemon makes it and keeps its key outside (0600); the sandbox trusts the
 * certificate; the egress gets leaves only. Its name constraint (RFC 5280, 4.2.1.10; critical) keeps it worthless for
 * any other name, should its key ever leak.
 */
export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** A certificate for one name and its key. */
export interface Leaf extends Authority {
  /** When to have another one made. */
  readonly expires: Date;
}

const day = 24 * 3600 * 1000;

/** @param names what it may sign for. Without any name it may sign for all, which only inspection will need. */
export function makeAuthority(sandbox: string, names: readonly string[]): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const usage = asn.KeyUsageFlags.keyCertSign | asn.KeyUsageFlags.cRLSign;
  const extensions = [
    extension(asn.id_ce_basicConstraints, new asn.BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    extension(asn.id_ce_keyUsage, new asn.KeyUsage(usage), true),
    extension(asn.id_ce_subjectKeyIdentifier, new asn.SubjectKeyIdentifier(keyId(publicKey))),
  ];
  if (names.length > 0) extensions.push(extension(asn.id_ce_nameConstraints, permitted(names), true));
  const subject = commonName(`Nacre sandbox ${sandbox}`);
  const certificate = signCertificate(
    {
      subject,
      issuer: subject,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + 3650 * day),
      publicKey,
      extensions,
    },
    privateKey,
  );
  return { certificate, key: pem(privateKey) };
}

/** A leaf for `name`, good for 90 days. */
export function issue(authority: Authority, name: string): Leaf {
  const issuer = createPrivateKey(authority.key);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const parsed = AsnConvert.parse(derOf(authority.certificate), asn.Certificate).tbsCertificate;
  const expires = new Date(Math.min(Date.now() + 90 * day, parsed.validity.notAfter.getTime().getTime()));
  const authorityKey = new asn.AuthorityKeyIdentifier({
    keyIdentifier: new asn.KeyIdentifier(keyId(createPublicKey(issuer))),
  });
  const certificate = signCertificate(
    {
      subject: commonName(name),
      issuer: parsed.subject,
      notBefore: new Date(Date.now() - day),
      notAfter: expires,
      publicKey,
      extensions: [
        extension(asn.id_ce_basicConstraints, new asn.BasicConstraints({ cA: false }), true),
        extension(asn.id_ce_keyUsage, new asn.KeyUsage(asn.KeyUsageFlags.digitalSignature), true),
        extension(asn.id_ce_extKeyUsage, new asn.ExtendedKeyUsage([asn.id_kp_serverAuth])),
        extension(
          asn.id_ce_subjectAltName,
          new asn.SubjectAlternativeName([new asn.GeneralName({ dNSName: name })]),
        ),
        extension(asn.id_ce_authorityKeyIdentifier, authorityKey),
        extension(asn.id_ce_subjectKeyIdentifier, new asn.SubjectKeyIdentifier(keyId(publicKey))),
      ],
    },
    issuer,
  );
  return { certificate, key: pem(privateKey), expires };
}

function permitted(names: readonly string[]): asn.NameConstraints {
  const subtrees = names.map((dNSName) => new asn.GeneralSubtree({ base: new asn.GeneralName({ dNSName }) }));
  return new asn.NameConstraints({ permittedSubtrees: new asn.GeneralSubtrees(subtrees) });
}

/** RFC 5280, 4.2.1.2, method 1: SHA-1 of the public key's bits. */
function keyId(key: KeyObject): ArrayBuffer {
  const info = AsnConvert.parse(key.export({ type: "spki", format: "der" }), asn.SubjectPublicKeyInfo);
  return Uint8Array.from(createHash("sha1").update(new Uint8Array(info.subjectPublicKey)).digest()).buffer;
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

function derOf(certificate: string): Buffer {
  return Buffer.from(certificate.replace(/-----[A-Z ]+-----|\s/g, ""), "base64");
}

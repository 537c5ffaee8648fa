import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  createPrivateKey,
  createPublicKey,
} from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import * as asn from "@peculiar/asn1-x509";
import { parseAddress } from "../policy/address.ts";
import { commonName, extension, signCertificate } from "./certificate.ts";

/**
 * One certificate authority per sandbox. The daemon makes it and keeps its key outside (0600); that sandbox alone trusts
 * the certificate, and that sandbox' egress alone signs with the key, over the control channel and in memory only. It may
 * sign for every name, since the names that are inspected change while the agent runs; whoever had the key could
 * deceive this one sandbox, whose traffic the egress carries anyway.
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

export function makeAuthority(sandbox: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const usage = asn.KeyUsageFlags.keyCertSign | asn.KeyUsageFlags.cRLSign;
  const subject = commonName(`Nacre sandbox ${sandbox}`.slice(0, 64));
  const certificate = signCertificate(
    {
      subject,
      issuer: subject,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + 3650 * day),
      publicKey,
      extensions: [
        extension(
          asn.id_ce_basicConstraints,
          new asn.BasicConstraints({ cA: true, pathLenConstraint: 0 }),
          true,
        ),
        extension(asn.id_ce_keyUsage, new asn.KeyUsage(usage), true),
        extension(asn.id_ce_subjectKeyIdentifier, new asn.SubjectKeyIdentifier(keyId(publicKey))),
      ],
    },
    privateKey,
  );
  return { certificate, key: pem(privateKey) };
}

/**
 * Signs leaves, each good for 90 days. One pair of keys for all of them: they never leave this process, and a pair for each
 * name would cost more than the signature.
 */
export class Issuer {
  readonly #key: KeyObject;
  readonly #issuer: asn.Name;
  readonly #authorityKey: asn.AuthorityKeyIdentifier;
  readonly #expires: Date;
  readonly #leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });

  constructor({ certificate, key }: Authority) {
    this.#key = createPrivateKey(key);
    const { subject, validity } = AsnConvert.parse(derOf(certificate), asn.Certificate).tbsCertificate;
    this.#issuer = subject;
    this.#expires = validity.notAfter.getTime();
    const keyIdentifier = new asn.KeyIdentifier(keyId(createPublicKey(this.#key)));
    this.#authorityKey = new asn.AuthorityKeyIdentifier({ keyIdentifier });
  }

  /** @param host a name, or an address in its only spelling */
  issue(host: string): Leaf {
    const expires = new Date(Math.min(Date.now() + 90 * day, this.#expires.getTime()));
    const { publicKey, privateKey } = this.#leaf;
    const subjects = new asn.SubjectAlternativeName([alternative(host)]);
    const certificate = signCertificate(
      {
        // RFC 5280, 4.2.1.6: the alternative name is the one that counts; a long one does not fit the other (64 characters).
        subject: commonName(host.slice(0, 64)),
        issuer: this.#issuer,
        notBefore: new Date(Date.now() - day),
        notAfter: expires,
        publicKey,
        extensions: [
          extension(asn.id_ce_basicConstraints, new asn.BasicConstraints({ cA: false }), true),
          extension(asn.id_ce_keyUsage, new asn.KeyUsage(asn.KeyUsageFlags.digitalSignature), true),
          extension(asn.id_ce_extKeyUsage, new asn.ExtendedKeyUsage([asn.id_kp_serverAuth])),
          extension(asn.id_ce_subjectAltName, subjects),
          extension(asn.id_ce_authorityKeyIdentifier, this.#authorityKey),
          extension(asn.id_ce_subjectKeyIdentifier, new asn.SubjectKeyIdentifier(keyId(publicKey))),
        ],
      },
      this.#key,
    );
    return { certificate, key: pem(privateKey), expires };
  }
}

/** One leaf alone. */
export const issue = (authority: Authority, host: string): Leaf => new Issuer(authority).issue(host);

function alternative(host: string): asn.GeneralName {
  const address = parseAddress(host);
  return new asn.GeneralName(address === undefined ? { dNSName: host } : { iPAddress: address.text });
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

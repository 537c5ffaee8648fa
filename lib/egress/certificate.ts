import { type KeyObject, randomBytes, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import * as asn from "@peculiar/asn1-x509";

/** What a certificate says, before it is signed. */
export interface CertificateFields {
  readonly subject: asn.Name;
  readonly issuer: asn.Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKey: KeyObject;
  readonly extensions: readonly asn.Extension[];
}

const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const idCommonName = "2.5.4.3";

/** An X.509 version 3 certificate, signed with ECDSA and SHA-256, as PEM. */
export function signCertificate(fields: CertificateFields, issuerKey: KeyObject): string {
  const algorithm = new asn.AlgorithmIdentifier({ algorithm: ecdsaWithSha256 });
  const tbsCertificate = new asn.TBSCertificate({
    version: asn.Version.v3,
    serialNumber: serial(),
    signature: algorithm,
    issuer: fields.issuer,
    validity: new asn.Validity({ notBefore: fields.notBefore, notAfter: fields.notAfter }),
    subject: fields.subject,
    subjectPublicKeyInfo: AsnConvert.parse(
      fields.publicKey.export({ type: "spki", format: "der" }),
      asn.SubjectPublicKeyInfo,
    ),
    extensions: new asn.Extensions([...fields.extensions]),
  });
  const signature = sign("sha256", new Uint8Array(AsnConvert.serialize(tbsCertificate)), issuerKey);
  const certificate = new asn.Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: Uint8Array.from(signature).buffer,
  });
  const base64 = Buffer.from(AsnConvert.serialize(certificate)).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

export function extension(id: string, value: unknown, critical = false): asn.Extension {
  return new asn.Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

export function commonName(text: string): asn.Name {
  const value = new asn.AttributeValue({ utf8String: text });
  return new asn.Name([
    new asn.RelativeDistinguishedName([new asn.AttributeTypeAndValue({ type: idCommonName, value })]),
  ]);
}

/** 126 random bits, positive and 16 bytes long (RFC 5280, 4.1.2.2). */
function serial(): ArrayBuffer {
  const bytes = Uint8Array.from(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.buffer;
}

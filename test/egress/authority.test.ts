import { X509Certificate } from "node:crypto";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { afterAll, describe, expect, test } from "vitest";
import { issue, makeAuthority } from "../../lib/egress/authority.ts";
import { trustedAuthorities } from "../../lib/egress/trust.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nacre-ca-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  fs.writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
};
const verify = (authority: string, leaf: string): string => {
  try {
    return execFileSync("openssl", ["verify", "-x509_strict", "-CAfile", authority, leaf], {
      stdio: "pipe",
    }).toString();
  } catch (error) {
    return String((error as { stderr: Buffer }).stderr);
  }
};

describe("a sandbox's authority", () => {
  const authority = makeAuthority("dev/assistant");
  const trusted = file("ca.crt", authority.certificate);

  test("issues a leaf that others verify for its name, and for that only", () => {
    const leaf = issue(authority, "inference.local");
    expect(verify(trusted, file("leaf.crt", leaf.certificate))).toContain("OK");
    const certificate = new X509Certificate(leaf.certificate);
    expect(certificate.checkHost("inference.local")).toBe("inference.local");
    expect(certificate.checkHost("example.com")).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(leaf.expires.getTime() - Date.now()).toBeGreaterThan(80 * 24 * 3600 * 1000);
  });

  test("issues a leaf for an address too, and for a name that no common name holds", () => {
    for (const host of ["192.0.2.7", "2001:db8::7", `${"long.".repeat(20)}example.com`]) {
      const leaf = issue(authority, host);
      expect(verify(trusted, file("leaf.crt", leaf.certificate)), host).toContain("OK");
      const certificate = new X509Certificate(leaf.certificate);
      const found = host.includes("long") ? certificate.checkHost(host) : certificate.checkIP(host);
      expect(found, host).toBe(host);
    }
  });

  test("cannot make another authority", () => {
    const { certificate } = issue(authority, "github.com");
    expect(new X509Certificate(certificate).ca).toBe(false);
    expect(new X509Certificate(authority.certificate).toLegacyObject()).toMatchObject({ ca: true });
  });

  test("does not vouch for another sandbox's leaves", () => {
    const leaf = issue(makeAuthority("dev/assistant"), "inference.local");
    expect(verify(trusted, file("other.crt", leaf.certificate))).not.toContain("OK");
  });
});

describe("the trusted authorities", () => {
  const own = makeAuthority("corp").certificate.trim();
  const other = makeAuthority("other").certificate.trim();

  test("are the runtime's and the system's", () => {
    const bundle = file("bundle.crt", `# corp\n${own}\n${other}\n`);
    const trust = trustedAuthorities({}, [path.join(folder, "absent"), bundle]);
    expect(trust).toEqual(expect.arrayContaining([own, other]));
    expect(trust.length).toBe(tls.rootCertificates.length + 2);
  });

  test("SSL_CERT_FILE and SSL_CERT_DIR replace the distribution's", () => {
    const bundle = file("distribution.crt", own);
    const certificates = path.join(folder, "certs");
    fs.mkdirSync(certificates);
    fs.writeFileSync(path.join(certificates, "a.pem"), other);
    for (const environment of [
      { SSL_CERT_FILE: path.join(certificates, "a.pem") },
      { SSL_CERT_DIR: `/absent:${certificates}` },
    ]) {
      const trust = trustedAuthorities(environment, [bundle]);
      expect(trust).toContain(other);
      expect(trust).not.toContain(own);
    }
  });

  test("are still the runtime's where the system has none", () => {
    expect(trustedAuthorities({}, [path.join(folder, "absent")])).toHaveLength(tls.rootCertificates.length);
  });
});

import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { makeAuthority, type Authority } from "../egress/authority.ts";
import { trustedAuthorities } from "../egress/trust.ts";
import { javaKeyStore } from "./java-key-store.ts";
import { readText, writeAtomic } from "./state.ts";

/** Where programs that were told nothing look, by distribution: inside, the sandbox' own bundle lies over each. */
export const bundlePlaces = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
].filter((place) => existsSync(place));

/** Where a Java of the distribution looks. */
export const keyStorePlaces = [
  "/etc/ssl/certs/java/cacerts",
  "/etc/pki/ca-trust/extracted/java/cacerts",
].filter((place) => existsSync(place));

/** The file of the authority's key, in the sandbox' own folder of trust: 0600, and shown to nobody. */
export const authorityKey = "authority.key";

export interface Trust {
  /** What the sandbox trusts: the host's authorities and its own. Readable by its user id. */
  readonly bundle: string;
  /** The same for Java. */
  readonly keyStore: string;
  /** For the egress, which signs leaves with it. */
  readonly authority: Authority;
}

/**
 * The sandbox' own authority, made once; its key stays here, 0600, in a folder that nothing inside is shown. What the
 * sandbox trusts is written anew each time, since the host's changes.
 */
export async function prepareTrust(folder: string, id: string): Promise<Trust> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const paths = {
    certificate: join(folder, "authority.crt"),
    key: join(folder, authorityKey),
    bundle: join(folder, "bundle.crt"),
    keyStore: join(folder, "cacerts"),
  };
  let certificate = await readText(paths.certificate);
  let key = await readText(paths.key);
  if (certificate === undefined || key === undefined) {
    // Key first: whichever of the two is missing after an interruption, both are made anew.
    ({ certificate, key } = makeAuthority(id));
    await writeAtomic(paths.key, key);
    await writeAtomic(paths.certificate, certificate);
  }
  const bundle = `${hostBundle()}\n${certificate.trimEnd()}\n`;
  await writeAtomic(paths.bundle, bundle);
  if (keyStorePlaces.length > 0) await writeAtomic(paths.keyStore, javaKeyStore(bundle));
  for (const path of [paths.bundle, ...(keyStorePlaces.length > 0 ? [paths.keyStore] : [])])
    await chmod(path, 0o444);
  return { bundle: paths.bundle, keyStore: paths.keyStore, authority: { certificate, key } };
}

/** The authorities that this host trusts, and those that its npm is told of (`NODE_EXTRA_CA_CERTS`). PEM. */
export function hostBundle(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const extra = env["NODE_EXTRA_CA_CERTS"];
  const more = extra !== undefined && existsSync(extra) ? [readFileSync(extra, "utf8").trim()] : [];
  return [...trustedAuthorities(env), ...more].join("\n");
}

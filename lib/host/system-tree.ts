import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { LaunchRoot } from "./launch-spec.ts";

/** Folders of programs and libraries: on most systems links into /usr, on others folders of their own. */
const top = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/**
 * What programs read in /etc and what says nothing about this host or its users. Each is bound alone: never /etc, and
 * not /etc/ssl (its `private`).
 */
const settings = [
  "alternatives",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "services",
  "protocols",
  "terminfo",
  "inputrc",
  "fonts",
  "perl",
  "ca-certificates.conf",
  "crypto-policies",
  "ssl/certs",
  "ssl/openssl.cnf",
  "pki/tls/certs",
  "pki/tls/openssl.cnf",
  "pki/ca-trust/extracted",
];

/** The host's own programs, read-only; nothing of /home, /root, /var, /run, /srv, /opt or the rest of /etc. */
export function systemTree(host = "/"): Pick<LaunchRoot, "binds"> & {
  readonly symlinks: NonNullable<LaunchRoot["symlinks"]>;
  /** The folders of it whose files may be executed. */
  readonly programs: readonly string[];
} {
  const found = top.flatMap((name) => entry(host, name));
  const java = names(join(host, "etc")).filter((name) => /^java(-|$)/.test(name));
  return {
    binds: [
      { from: join(host, "usr"), to: "/usr", mode: "ro" },
      ...found.flatMap(({ at, link }) =>
        link === undefined ? [{ from: join(host, at), to: at, mode: "ro" as const }] : [],
      ),
      ...[...settings, ...java].map((name) => ({
        from: join(host, "etc", name),
        to: `/etc/${name}`,
        mode: "ro" as const,
        optional: true,
      })),
    ],
    symlinks: [
      ...found.flatMap(({ at, link }) => (link === undefined ? [] : [{ at, to: link }])),
      { at: "/etc/mtab", to: "/proc/mounts" },
      { at: "/etc/os-release", to: "../usr/lib/os-release" },
      { at: "/var/tmp", to: "/tmp" },
    ],
    programs: ["/usr", ...found.flatMap(({ at, link }) => (link === undefined ? [at] : []))],
  };
}

function entry(host: string, name: string): { readonly at: string; readonly link?: string }[] {
  const path = join(host, name);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (stat.isDirectory()) return [{ at: `/${name}` }];
  if (!stat.isSymbolicLink()) return [];
  const link = readlinkSync(path);
  // Only into /usr: a link elsewhere would point at nothing inside.
  return /^\/?usr\//.test(link) ? [{ at: `/${name}`, link }] : [];
}

const names = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

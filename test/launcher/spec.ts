import { chownSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  egressSpecSchema,
  sandboxSpecSchema,
  type EgressSpec,
  type SandboxSpec,
} from "../../lib/host/launch-spec.ts";
import { profile, type Place } from "./place.ts";

export const node = "/opt/nacre/node/bin/node";
export const environment = { PATH: "/opt/nacre/node/bin:/usr/bin:/bin", HOME: "/sandbox", LANG: "C.UTF-8" };

/** A whole sandbox: the system's programs, Node, a workspace and every wall. `parts` replaces what a test is about. */
export function sandboxSpec(
  place: Place,
  name: string,
  argv: readonly string[] | null,
  parts: Partial<SandboxSpec> = {},
): SandboxSpec {
  const directory = folder(place, name, place.caller);
  const data = folder(place, `${name}-data`, place.outside);
  return sandboxSpecSchema.parse({
    id: `test/${name}`,
    generation: 1,
    hostname: name,
    directory,
    identity: { inside: { uid: 1000, gid: 1000 }, outside: place.outside },
    root: {
      binds: [
        ...system.binds,
        { from: place.node, to: node, mode: "ro" },
        { from: data, to: "/sandbox", mode: "rw" },
      ],
      symlinks: system.symlinks,
      files: [
        { at: "/etc/passwd", content: "sandbox:x:1000:1000:sandbox:/sandbox:/bin/bash\n" },
        { at: "/etc/group", content: "sandbox:x:1000:\n" },
        { at: "/etc/hosts", content: "127.0.0.1 localhost\n::1 localhost\n" },
        { at: "/etc/resolv.conf", content: "nameserver 25.255.0.1\n" },
      ],
      tmpfs: [{ at: "/tmp", size_bytes: 256 << 20, mode: "1777" }],
    },
    landlock: {
      requirement: "required",
      rules: [
        ...system.programs.map((path) => ({ path, access: "execute" })),
        { path: "/opt/nacre", access: "execute" },
        { path: "/etc", access: "read" },
        { path: "/proc", access: "read" },
        { path: "/dev", access: "write" },
        { path: "/tmp", access: "write" },
        { path: "/sandbox", access: "write" },
      ],
    },
    seccomp: { requirement: "required", profile: profile("agent") },
    network: { kind: "capture", address: "25.255.0.1", port: 15_001 },
    limits: { open_files: 4096 },
    process:
      argv === null
        ? null
        : {
            argv: [...argv],
            env: environment,
            cwd: "/sandbox",
            restart: { policy: "never", initial_ms: 50, max_ms: 400 },
          },
    ports: [18_789],
    grace_ms: 2000,
    ...parts,
  });
}

/** An egress that runs `script` with Node, beside the sandbox in `directory`. */
export function egressSpec(
  place: Place,
  name: string,
  script: string,
  directory: string,
  parts: Partial<EgressSpec> = {},
): EgressSpec {
  const state = folder(place, `${name}-state`, place.outside);
  return egressSpecSchema.parse({
    directory: folder(place, name, place.caller),
    egress_socket: join(directory, "egress.sock"),
    identity: { inside: { uid: 1000, gid: 1000 }, outside: place.outside },
    root: {
      binds: [
        ...system.binds.filter(({ to }) => to !== "/usr"),
        ...libraries.map((path) => ({ from: path, to: path, mode: "ro" })),
        { from: place.node, to: node, mode: "ro" },
        { from: state, to: "/state", mode: "rw" },
        { from: join(directory, "egress.sock"), to: "/run/egress.sock", mode: "rw" },
      ],
      symlinks: system.symlinks,
      files: [{ at: "/opt/nacre/egress.mjs", content: script }],
    },
    landlock: {
      requirement: "required",
      rules: [
        ...libraries.map((path) => ({ path, access: "execute" })),
        { path: "/opt/nacre", access: "execute" },
        { path: "/etc", access: "read" },
        { path: "/proc", access: "read" },
        { path: "/dev", access: "write" },
        { path: "/state", access: "write" },
        { path: "/run/egress.sock", access: "write" },
      ],
    },
    seccomp: { requirement: "required", profile: profile("egress") },
    limits: { open_files: 4096, cgroup: "none" },
    process: { argv: [node, "/opt/nacre/egress.mjs"], env: { PATH: "/nonexistent" }, cwd: "/state" },
    ...parts,
  });
}

function folder(place: Place, name: string, owner: Place["caller"]): string {
  const path = join(place.root, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, owner.uid, owner.gid);
  return path;
}

const kinds = ["bin", "sbin", "lib", "lib64"].flatMap((name) => {
  const stat = lstatSync(`/${name}`, { throwIfNoEntry: false });
  return stat === undefined ? [] : [{ name, link: stat.isSymbolicLink() }];
});
const own = kinds.filter(({ link }) => !link).map(({ name }) => `/${name}`);

const system = {
  binds: [
    ...["/usr", ...own].map((path) => ({ from: path, to: path, mode: "ro" })),
    ...["alternatives", "ld.so.cache", "ssl/certs", "ssl/openssl.cnf"].map((name) => ({
      from: `/etc/${name}`,
      to: `/etc/${name}`,
      mode: "ro",
      optional: true,
    })),
  ],
  symlinks: kinds.filter(({ link }) => link).map(({ name }) => ({ at: `/${name}`, to: `usr/${name}` })),
  programs: ["/usr", ...own],
};
const libraries = ["/usr/lib", "/usr/lib64", ...own.filter((path) => path.startsWith("/lib"))].filter(
  (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
);

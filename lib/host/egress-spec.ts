import { existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { NacreError } from "../error.ts";
import type { SeccompProfile } from "../synth/host-objects.ts";
import { codeRoot, program } from "./build.ts";
import { inside } from "./inside.ts";
import type { EgressSpec, LaunchRoot } from "./launch-spec.ts";
import { ownIds, type Ids } from "./outside-ids.ts";
import { systemTree } from "./system-tree.ts";

/** Where the egress finds its own, inside its root. */
export const egressInside = {
  audit: "/state/audit.jsonl",
  poolFile: "/state/pool.json",
  socket: "/run/egress.sock",
  /** What the host says of names and authorities, kept fresh by the daemon. */
  host: "/etc/host",
  compiled: "/opt/nacre/compiled",
} as const;

export interface EgressParts {
  readonly id: string;
  /** The sandbox' folder of the state directory. */
  readonly directory: string;
  /** The sandbox' `egress.sock`. */
  readonly socket: string;
  /** The egress' only writable folder. */
  readonly state: string;
  /** The folder with the host's `resolv.conf`, `hosts` and `ca-bundle.crt`. */
  readonly host: string;
  readonly ids: Ids;
  readonly seccomp: SeccompProfile;
  /** The egress' compiled code; without it Node compiles at each start. */
  readonly compiled: string | undefined;
}

/**
 * The egress behind walls of its own: the host's network, Node, our code, one writable folder, no other program. It
 * parses an agent's bytes and holds that agent's keys, and nothing else.
 */
export function egressSpecOf({
  id,
  directory,
  socket,
  state,
  host,
  ids,
  seccomp,
  compiled,
}: EgressParts): EgressSpec {
  refuseUnreadable(ids);
  const libraries = libraryTree();
  const code = codeBinds();
  const bundle = join(egressInside.host, "ca-bundle.crt");
  return {
    id,
    directory,
    egress_socket: socket,
    identity: { inside: inside.ids, outside: { ...ids } },
    root: {
      binds: [
        ...libraries.binds,
        ...code,
        { from: process.execPath, to: inside.node, mode: "ro" },
        ...(compiled === undefined
          ? []
          : [{ from: compiled, to: egressInside.compiled, mode: "ro" as const, optional: true }]),
        { from: host, to: egressInside.host, mode: "ro" },
        { from: state, to: "/state", mode: "rw" },
        { from: socket, to: egressInside.socket, mode: "rw" },
      ],
      symlinks: [
        ...libraries.symlinks,
        { at: "/etc/resolv.conf", to: join(egressInside.host, "resolv.conf") },
        { at: "/etc/hosts", to: join(egressInside.host, "hosts") },
      ],
      files: [{ at: "/etc/nsswitch.conf", content: "passwd: files\ngroup: files\nhosts: files dns\n" }],
    },
    landlock: {
      requirement: "required",
      rules: [
        // The loader of Node is opened as a program is (fs/exec.c, open_exec), so libraries need `execute` too.
        ...libraries.folders.map((path) => ({ path, access: "execute" as const })),
        { path: inside.node, access: "execute" },
        ...code.map(({ to }) => ({ path: to, access: "read" as const })),
        { path: egressInside.compiled, access: "read", optional: true },
        { path: "/etc", access: "read" },
        { path: "/proc", access: "read" },
        { path: "/dev", access: "write" },
        { path: "/state", access: "write" },
        { path: egressInside.socket, access: "write" },
      ],
    },
    seccomp: { requirement: "required", profile: seccomp },
    limits: { open_files: 65_536, cgroup: "none" },
    process: {
      argv: [inside.node, ...egressNodeOptions, program("egress/main")],
      env: {
        PATH: "/nonexistent",
        HOME: "/state",
        LANG: "C.UTF-8",
        SSL_CERT_FILE: bundle,
        LOCALDOMAIN: ".",
        ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: egressInside.compiled }),
      },
      cwd: "/state",
    },
  };
}

/** An egress relays; its heap is small, and a leak should end it before it hurts the host. */
export const egressNodeOptions = [
  "--max-old-space-size=256",
  "--max-semi-space-size=8", // At 2, an inspected request takes a seventh more of the processor.
  "--disable-warning=ExperimentalWarning",
];

/** Nothing of /usr but its libraries. */
function libraryTree() {
  const isLibrary = (path: string): boolean => /\/lib(32|64|x32)?$/.test(path);
  const tree = systemTree();
  const usr = ["lib", "lib32", "lib64", "libx32"]
    .map((name) => `/usr/${name}`)
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
  return {
    binds: [
      ...usr.map((path) => ({ from: path, to: path, mode: "ro" as const })),
      ...tree.binds.filter(({ to }) => isLibrary(to) || to === "/etc/ld.so.cache"),
    ],
    symlinks: tree.symlinks.filter(({ at }) => isLibrary(at)),
    folders: [...usr, ...tree.programs.filter(isLibrary)],
  };
}

/**
 * What the egress imports, at the very paths that it has on the host, so that Node finds packages as it does there
 * (also through a store of links, as pnpm's).
 */
function codeBinds(): LaunchRoot["binds"] {
  const root = realpathSync(codeRoot);
  const own = ["egress", "router", "policy", "error.ts", "error.js", "version.ts", "version.js"];
  return [
    ...own.map((name) => join(root, name)),
    join(dirname(root), "package.json"),
    ...packageFolders(dirname(root)),
  ]
    .filter((path) => existsSync(path))
    .map((path) => ({ from: path, to: path, mode: "ro" }));
}

/** Root's egress runs as nobody: it cannot read what is root's alone. */
function refuseUnreadable(ids: Ids): void {
  if (ids.uid === ownIds().uid) return;
  const closed = [process.execPath, program("egress/main"), join(dirname(codeRoot), "package.json")].find(
    (path) => (statSync(path, { throwIfNoEntry: false })?.mode ?? 0o004) % 8 < 4,
  );
  if (closed !== undefined)
    throw new NacreError({
      code: "code_unreadable",
      subject: closed,
      message: "can be read by its owner alone, and the egress runs as a user id of its own",
      hint: `chmod -R o+rX ${dirname(codeRoot)}`,
    });
}

/** Each `node_modules` on the way up; one that lies in another is shown by that one. */
function packageFolders(from: string): string[] {
  const above = from === dirname(from) ? [] : packageFolders(dirname(from));
  const here = join(from, "node_modules");
  return above.some((folder) => here.startsWith(`${folder}/`)) ? above : [...above, here];
}

import { NacreError } from "../error.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import { etcFiles, inside } from "./inside.ts";
import type { LaunchRoot, SandboxSpec } from "./launch-spec.ts";
import { systemTree } from "./system-tree.ts";
import { bundlePlaces, keyStorePlaces, type Trust } from "./trust.ts";

export interface Shown {
  /** The workspace's files, on the host. */
  readonly data: string;
  /** What the sandbox trusts, on the host. */
  readonly trust: Pick<Trust, "bundle" | "keyStore">;
  /** A kit's tree, on the host. */
  readonly kit?: string | undefined;
  readonly files?: NonNullable<LaunchRoot["files"]> | undefined;
  /** Further folders of the host, read-only. */
  readonly binds?: readonly { readonly from: string; readonly to: string }[] | undefined;
  /** A folder of the host over which an overlay lies. */
  readonly overlay?: LaunchRoot["overlay"];
}

type Rules = SandboxSpec["landlock"]["rules"];

/** The private root, and the Landlock rules over it: two walls that each keep the same line. */
export function sandboxRoot(
  files: HostSandbox["files"],
  hostname: string,
  shown: Shown,
): { readonly root: LaunchRoot; readonly rules: Rules } {
  refuseUnkept(files, hostname);
  const system = systemTree();
  const binds = [
    ...(shown.kit === undefined ? [] : [{ from: shown.kit, to: inside.kit }]),
    ...(shown.binds ?? []),
  ];
  const writable = files.readWrite.some((path) => within(path, inside.workspace));
  return {
    root: {
      tmpfs: [{ at: "/tmp", size_bytes: 1024 ** 3, mode: "1777" }],
      binds: [
        ...system.binds,
        { from: process.execPath, to: inside.node, mode: "ro" },
        { from: shown.trust.bundle, to: inside.bundle, mode: "ro" },
        ...bundlePlaces.map((to) => ({ from: shown.trust.bundle, to, mode: "ro" as const })),
        ...keyStorePlaces.map((to) => ({ from: shown.trust.keyStore, to, mode: "ro" as const })),
        ...binds.map((bind) => ({ ...bind, mode: "ro" as const })),
        { from: shown.data, to: inside.workspace, mode: writable ? "rw" : "ro" },
      ],
      ...(shown.overlay === undefined ? {} : { overlay: shown.overlay }),
      files: [...etcFiles(hostname), ...(shown.files ?? [])],
      symlinks: [...system.symlinks],
    },
    rules: [
      ...[...system.programs, "/opt/nacre"].map((path) => ({ path, access: "execute" as const })),
      { path: "/etc", access: "read" },
      { path: "/proc", access: "read" },
      { path: "/dev", access: "write" },
      ...binds.map(({ to }) => ({ path: to, access: "execute" as const })),
      ...files.readOnly.map((path) => ({ path, access: "execute" as const, optional: true })),
      ...[...files.readWrite, ...(shown.overlay === undefined ? [] : [shown.overlay.at])].map((path) => ({
        path,
        access: "write" as const,
        optional: true,
      })),
    ],
  };
}

/** Landlock adds rights up along a path: what is under a writable folder is writable, whatever another rule says. */
function refuseUnkept({ readOnly, readWrite }: HostSandbox["files"], name: string): void {
  for (const path of readOnly) {
    const over = readWrite.find((folder) => within(path, folder));
    if (over !== undefined)
      throw new NacreError({
        code: "unenforceable",
        subject: `sandbox ${name}, files`,
        message: `${path} cannot be read-only: ${over} is writable`,
        hint: `remove ${path} from read_only, or list the writable folders beside it instead of ${over}`,
      });
  }
}

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

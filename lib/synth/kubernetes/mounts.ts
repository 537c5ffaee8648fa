import { isWithin, WORKSPACE, type ResolvedAgent } from "../../blueprint/index.ts";
import { k8s } from "./k8s.ts";

const CLAIM = "workspace";
/** The landlock rules and the seccomp profile, for the launcher inside. */
export const WALLS = "/etc/nacre/walls";

/** Where each volume of Nacre's own programs lies: there, and nowhere else. Keys have a folder each, in `SECRETS`. */
export const places = {
  egress: {
    config: "/etc/nacre/egress",
    policy: "/etc/nacre/policy",
    token: "/var/run/secrets/kubernetes.io/serviceaccount",
    scratch: "/tmp",
  },
  router: { config: "/etc/nacre/router", budgets: "/etc/nacre/budgets", scratch: "/tmp" },
} as const;

/** What the image, the runtime and Nacre put there: a volume over it would replace the launcher, its rules or the system. */
export const SYSTEM = [
  ...["/nacre", "/etc", "/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"],
  ...["/run", "/var/run"],
] as const;

const EPHEMERAL = "1Gi";
const TEMPORARY = "256Mi";

export interface Mounts {
  readonly volumes: k8s.Volume[];
  readonly mounts: k8s.VolumeMount[];
}

/**
 * The writable places of a read-only root: what persists lies on the sandbox' claim, a folder each; the rest of the
 * workspace, `/tmp` and what else the policy lets it write are of the pod, and go with it.
 */
export function writableMounts({ files, persist }: ResolvedAgent, claim: string): Mounts {
  const kept = outermost(persist);
  const passing = outermost([
    WORKSPACE,
    "/tmp",
    ...files.readWrite.filter((path) => !isWithin(path, "/dev")),
  ]).filter((path) => !kept.some((folder) => isWithin(path, folder)));
  const scratch = passing.map((path, index) => ({ path, name: `scratch-${index}` }));
  return {
    volumes: [
      ...(kept.length === 0
        ? []
        : [{ name: CLAIM, persistentVolumeClaim: { claimName: claim, readOnly: false } }]),
      ...scratch.map(({ path, name }) => ({
        name,
        emptyDir: { sizeLimit: k8s.Quantity.fromString(path === WORKSPACE ? EPHEMERAL : TEMPORARY) },
      })),
    ],
    mounts: [
      ...scratch.map(({ path, name }) => ({ name, mountPath: path, readOnly: false })),
      ...kept.map((path) => ({ name: CLAIM, mountPath: path, subPath: path.slice(1), readOnly: false })),
    ],
  };
}

/** Without those that lie in another of them; in order. */
function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)].sort();
  return all.filter((path) => !all.some((other) => other !== path && isWithin(path, other)));
}

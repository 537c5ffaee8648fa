import type { ClusterSettings, IsolationLevel } from "../blueprint/index.ts";
import type { Target } from "./target.ts";

export const walls = ["files", "syscalls", "network", "credentials"] as const;
export type Wall = (typeof walls)[number];

/** What a target makes of one wall. */
export type Enforcement =
  /** It stands, by what `by` says. */
  | { readonly status: "enforced"; readonly by: string }
  /** It does not stand; `instead` is what is there all the same. */
  | { readonly status: "not enforced"; readonly reason: string; readonly instead: string };

/** What a target offers of an isolation: its walls, or why there is none of it. */
export type Offer =
  | { readonly walls: Readonly<Record<Wall, Enforcement>> }
  | { readonly refused: string; readonly fix: string };

const enforced = (by: string): Enforcement => ({ status: "enforced", by });

const hostWalls: Readonly<Record<Wall, Enforcement>> = {
  files: enforced("Landlock over a private root"),
  syscalls: enforced("the blueprint's seccomp profile"),
  network: enforced("an empty network namespace, whose one listener is the egress'"),
  credentials: enforced("an egress process of its own"),
};

/** The kinds of machine between an agent and the node, as a pod has them. */
const inPods: Readonly<
  Record<IsolationLevel, { readonly files: Enforcement; readonly syscalls: Enforcement }>
> = {
  kernel: {
    files: {
      status: "not enforced",
      reason: "Landlock is applied by the launcher, which does not run in pods yet",
      instead: "a read-only root and a container's mounts",
    },
    syscalls: {
      status: "not enforced",
      reason: "the blueprint's own filter is applied by the launcher, which does not run in pods yet",
      instead: "the runtime's default profile",
    },
  },
  gvisor: {
    files: {
      status: "not enforced",
      reason: "gVisor has no Landlock",
      instead: "a read-only root, and gVisor's own file system server",
    },
    syscalls: {
      status: "not enforced",
      reason: "the blueprint's own filter is applied by the launcher, which does not run in pods yet",
      instead: "gVisor's kernel: no call reaches the node's as it is",
    },
  },
  kata: {
    files: {
      status: "not enforced",
      reason: "Landlock is applied by the launcher, which does not run in pods yet",
      instead: "a read-only root in a virtual machine of its own",
    },
    syscalls: {
      status: "not enforced",
      reason: "the blueprint's own filter is applied by the launcher, which does not run in pods yet",
      instead: "a guest kernel of its own",
    },
  },
};

/**
 * What stands of the four walls on a target. Synthesis decides by it, previews and status say it, and the table in the
 * reference is made from it.
 */
export function offerOf(
  target: Target["kind"],
  isolation: IsolationLevel,
  seccomp: ClusterSettings["seccomp"] = "runtime-default",
): Offer {
  if (target === "host") {
    if (isolation === "kernel") return { walls: hostWalls };
    const names = { gvisor: "gVisor (runsc)", kata: "a Kata virtual machine" };
    return {
      refused: `the host target runs agents on this machine's kernel, not in ${names[isolation]}`,
      fix: "use Isolation.kernel() (isolation: kernel)",
    };
  }
  const { files, syscalls } = inPods[isolation];
  // gVisor takes no seccomp profile of the pod's; a Kata guest may or may not.
  const byNode = isolation === "kernel" && seccomp === "localhost";
  return {
    walls: {
      files,
      syscalls: byNode ? enforced("the blueprint's seccomp profile, which each node holds") : syscalls,
      network: enforced(
        "NetworkPolicies (the cluster's network has to enforce them), and an egress pod of its own",
      ),
      credentials: enforced("an egress pod of its own; the router for inference"),
    },
  };
}

/** The reference of what stands of the walls on each target, in Markdown. */
export function targetReference(): string {
  const rows = (["host", "gateway", "cluster"] as const).flatMap((target) =>
    (["kernel", "gvisor", "kata"] as const).map((isolation) => [
      target,
      isolation,
      ...cells(target, isolation),
    ]),
  );
  const text =
    "What stands of the four walls, by target and isolation. A wall that is required (the default) and not enforced " +
    "is refused by `up`; `best_effort` is a warning in every preview and status.";
  const head = ["target", "isolation", ...walls];
  const lines = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
  return `# Targets\n\n${text}\n\n${lines.join("\n")}\n`;
}

function cells(target: Target["kind"], isolation: IsolationLevel): string[] {
  const offer = offerOf(target, isolation);
  if ("refused" in offer) return walls.map(() => `refused: ${offer.refused}`);
  return walls.map((wall) => {
    const of = offer.walls[wall];
    return of.status === "enforced"
      ? `enforced: ${of.by}`
      : `**not enforced**: ${of.reason}; instead ${of.instead}`;
  });
}

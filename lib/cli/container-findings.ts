import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { DockerEngine } from "../docker/engine.ts";
import type { EngineFacts } from "../docker/facts.ts";
import { NacreError } from "../error.ts";
import type { Finding } from "./doctor-findings.ts";

/** What K3s' networking and its containers are made of. A container cannot load them: it has no modules of this kernel. */
const modules = ["overlay", "br_netfilter", "nf_conntrack", "vxlan"] as const;

/** The container engine, and what a gateway needs of it. Nothing else does: what lacks is a warning. */
export async function engineFindings(): Promise<Finding[]> {
  try {
    const engine = await DockerEngine.find();
    return [...findingsOf(await engine.describe(), engine.host), ...moduleFindings()];
  } catch (error) {
    if (!(error instanceof NacreError)) throw error;
    const { subject, message, hint } = error;
    const fix = `only a gateway (K3s in a container) needs one: ${hint ?? "start Docker or Podman"}`;
    return [{ name: "containers", found: `${subject}: ${message}`, verdict: "warning", fix }];
  }
}

/** @param host where it listens */
export function findingsOf(facts: EngineFacts, host: string): Finding[] {
  return [
    { name: "containers", found: `${nameOf(facts)} ${facts.version} at ${host}`, verdict: "ok" },
    privileged(facts),
    groups(facts),
  ];
}

const nameOf = ({ engine, rootless }: EngineFacts): string =>
  `${rootless ? "rootless " : ""}${engine === "docker" ? "Docker" : "Podman"}`;

function privileged(facts: EngineFacts): Finding {
  const name = "gateway root";
  switch (facts.privileged) {
    case "machine":
      return { name, found: "a privileged container is root of this machine: K3s runs", verdict: "ok" };
    case "on_request":
      return {
        name,
        found: "user ids are remapped, and the gateway asks for the machine's own (userns=host): K3s runs",
        verdict: "ok",
      };
    case "namespace":
      return {
        name,
        found: `${nameOf(facts)}: root of a user namespace alone. K3s' kubelet may set no kernel parameter, read no kernel log, mount no block device; local ports below 1024 stay closed`,
        verdict: "warning",
        fix: `write kubeletArguments: { feature-gates: KubeletInUserNamespace=true } for the gateway, with cgroup v2 and cpu, cpuset, io, memory and pids delegated (systemd: Delegate=yes of user@.service); or use the system's ${facts.engine === "docker" ? "Docker" : "Podman"}`,
      };
  }
}

function groups({ cgroupVersion, limits, rootless }: EngineFacts): Finding {
  const name = "gateway limits";
  if (limits === "dropped")
    return {
      name,
      found: "limits of memory and processors are dropped, those of pods too",
      verdict: "warning",
      fix: rootless
        ? "cgroup v2 with its controllers delegated to this user (systemd: Delegate=yes of user@.service)"
        : "a cgroup driver for the engine (systemd or cgroupfs)",
    };
  if (cgroupVersion === 1)
    return {
      name,
      found: "cgroup v1: kubelets of Kubernetes 1.35 and later refuse to start on it",
      verdict: "warning",
      fix: "boot with systemd.unified_cgroup_hierarchy=1, or use an older K3s",
    };
  return { name, found: `cgroup v${cgroupVersion ?? "?"}, limits are enforced`, verdict: "ok" };
}

/** @param sys where the kernel tells of its modules @default /sys/module */
export function moduleFindings(sys = "/sys/module", folder = `/lib/modules/${release()}`): Finding[] {
  const builtin = textOf(`${folder}/modules.builtin`);
  const loadable = textOf(`${folder}/modules.dep`);
  const names = (text: string, module: string): boolean =>
    new RegExp(`/${module.replaceAll("_", "[-_]")}\\.ko`).test(text);
  const missing = modules.filter((module) => !existsSync(`${sys}/${module}`) && !names(builtin, module));
  const name = "gateway kernel";
  if (missing.length === 0) return [{ name, found: `modules ${modules.join(", ")}`, verdict: "ok" }];
  const here = missing.filter((module) => names(loadable, module));
  const nowhere = missing.filter((module) => !here.includes(module));
  return [
    {
      name,
      found: [
        ...(here.length === 0 ? [] : [`not loaded: ${here.join(", ")}`]),
        ...(nowhere.length === 0
          ? []
          : [`not seen: ${nowhere.join(", ")} (built in without saying so, or absent)`]),
      ].join("; "),
      verdict: "warning",
      fix:
        here.length > 0
          ? `modprobe -a ${here.join(" ")} (and /etc/modules-load.d for the next boot): the container cannot`
          : "only a gateway needs them: a kernel with CONFIG_BRIDGE_NETFILTER, CONFIG_VXLAN, CONFIG_OVERLAY_FS, CONFIG_NF_CONNTRACK",
    },
  ];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Many a container's or minimal system has no such file.
  }
}

import { execFile } from "node:child_process";
import { lookup } from "node:dns/promises";
import { readdir, statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { NacreError } from "../error.ts";
import { findKit } from "../host/kits/kit-folder.ts";
import { grantHint } from "../host/operator.ts";
import { operatorFile } from "../host/paths.ts";
import { aloneIn } from "../policy/address.ts";
import { classOf } from "../policy/address-class.ts";
import type { Grant } from "../egress/protocol.ts";
import type { KernelOffer } from "../host/launch-spec.ts";
import { bytes } from "./output.ts";

/** One thing that was looked at: what was found, whether it is enough, and the fix where it is not. */
export interface Finding {
  readonly name: string;
  readonly found: string;
  readonly verdict: "ok" | "warning" | "missing";
  readonly fix?: string;
  /** What the operator would write, where it is a matter of the network. */
  readonly grants?: readonly Grant[];
}

const run = promisify(execFile);
const mebibyte = 1 << 20;

/** What the kernel offers, as the launcher tried it. */
export function kernelFindings(offer: KernelOffer): Finding[] {
  const wall = (
    name: string,
    at: { readonly available: boolean; readonly reason?: string | undefined },
    found: string,
    fix: string,
  ): Finding =>
    at.available
      ? { name, found, verdict: "ok" }
      : { name, found: at.reason ?? "not available", verdict: "missing", fix };
  const { landlock, cgroup } = offer;
  return [
    { name: "kernel", found: offer.kernel, verdict: "ok" },
    landlock.available && !landlock.scopes
      ? {
          name: "landlock",
          found: `ABI ${landlock.abi}: no scopes (signals and abstract sockets are kept apart by the namespaces alone)`,
          verdict: "warning",
          fix: "Linux 6.12 or later has ABI 6",
        }
      : wall("landlock", landlock, `ABI ${landlock.abi}`, "Linux 5.13 or later, booted with lsm=landlock,…"),
    wall("seccomp", offer.seccomp, "filters", "a kernel with CONFIG_SECCOMP_FILTER"),
    wall(
      "namespaces",
      offer.namespaces,
      "user, mount, pid, net, ipc, uts, cgroup",
      "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces > 0",
    ),
    wall(
      "nf_tables",
      offer.nf_tables,
      "transparent capture",
      "modprobe nft_tproxy, or a kernel with CONFIG_NFT_TPROXY",
    ),
    wall("overlay", offer.overlay, "for nacre run", "Linux 5.11 or later, for overlays as an ordinary user"),
    cgroup.controllers.length > 0
      ? {
          name: "cgroup",
          found: `v${cgroup.version ?? "?"}: ${cgroup.controllers.join(", ")}`,
          verdict: "ok",
        }
      : {
          name: "cgroup",
          found: cgroup.reason ?? "no controller that this user can set",
          verdict: "warning",
          fix: "limits of cpu and memory need root, or a delegated cgroup v2 (systemd: Delegate=yes)",
        },
  ];
}

export async function machineFindings(directory: string): Promise<Finding[]> {
  const disk = await statfs(directory);
  const free = disk.bavail * disk.bsize;
  const memory = freemem();
  return [
    memory > 1024 * mebibyte
      ? { name: "memory", found: `${bytes(memory)} free of ${bytes(totalmem())}`, verdict: "ok" }
      : {
          name: "memory",
          found: `${bytes(memory)} free`,
          verdict: "warning",
          fix: "OpenClaw alone takes about 750 MiB",
        },
    free > 2048 * mebibyte
      ? { name: "disk", found: `${bytes(free)} free at ${directory}`, verdict: "ok" }
      : {
          name: "disk",
          found: `${bytes(free)} free`,
          verdict: "missing",
          fix: `free 2 GiB at ${directory}: the OpenClaw kit takes 650 MiB`,
        },
    { name: "node", found: process.version, verdict: "ok" },
  ];
}

/** A tool on PATH that is needed only at times: its absence is a warning. */
export async function toolFinding(name: string, args: readonly string[], fix: string): Promise<Finding> {
  try {
    const { stdout } = await run(name, args, { timeout: 10_000 });
    return { name, found: stdout.trim().split("\n")[0] ?? "", verdict: "ok" };
  } catch {
    return { name, found: "not on PATH", verdict: "warning", fix };
  }
}

/** Each installed kit, read whole. A sandbox' start compares sizes, modes and change times alone. */
export async function kitFindings(folder: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    try {
      const kit = await findKit(join(folder, name), "content");
      if (kit === undefined) continue; // Of an installation that is under way, or was ended.
      const found = `${kit.files} files, ${bytes(kit.bytes)}, ${kit.digest.slice(0, 19)}…: as installed`;
      findings.push({ name: `kit ${kit.kit}`, found, verdict: "ok" });
    } catch (error) {
      if (!(error instanceof NacreError)) throw error;
      const { subject, message, hint } = error;
      findings.push({
        name: subject,
        found: message,
        verdict: "missing",
        ...(hint !== undefined && { fix: hint }),
      });
    }
  }
  return findings;
}

/** A public name that answers from an address that is not public: the operator must say that this is right. */
export async function networkFinding(
  host: string,
  port: number,
  granted: readonly string[],
): Promise<Finding> {
  const name = `network ${host}`;
  let answers: string[];
  try {
    answers = (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return {
      name,
      found: `no answer (${code})`,
      verdict: "warning",
      fix: "only sandboxes that are to reach it need it",
    };
  }
  const inward = answers.filter((address) => classOf(address) !== "public");
  if (inward.length === 0) return { name, found: answers.join(", "), verdict: "ok" };
  if (granted.includes(host)) return { name, found: `${inward.join(", ")}, granted`, verdict: "ok" };
  const grants = inward.map((address) => ({ host, cidr: aloneIn(address), port }));
  return {
    name,
    found: `${inward.join(", ")}: not a public address`,
    verdict: "warning",
    fix: grantHint(grants, operatorFile()),
    grants,
  };
}

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Who runs the launcher. As root each sandbox gets ids of its own; an ordinary user is itself outside. */
export type As = "root" | "user";

/** Nobody in particular; no machine needs to know this number. */
const user = 4242;
const agent = 700_042;

const isRoot = process.getuid?.() === 0;
/** Root tests both; an ordinary user only itself. */
export const everyone: readonly As[] = isRoot ? ["root", "user"] : ["user"];

const crate = fileURLToPath(new URL("../../lib/launcher/", import.meta.url));

/** A folder, programs and ids of one test file, for one kind of caller. */
export interface Place {
  readonly as: As;
  /** Owned by the caller; sandboxes' folders are made in it. */
  readonly root: string;
  readonly launcher: string;
  readonly node: string;
  /** Ids of the agent, outside. */
  readonly outside: { readonly uid: number; readonly gid: number };
  /** The caller's own; root's is 0. */
  readonly caller: { readonly uid: number; readonly gid: number };
  readonly dispose: () => void;
}

/** `switchable`: a launcher whose walls can be left out, built for tests alone. */
export function place(as: As, switchable = false): Place {
  const root = mkdtempSync(join(tmpdir(), "nacre-launcher-"));
  chmodSync(root, 0o755);
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const caller = isRoot && as === "user" ? { uid: user, gid: user } : own;
  // Copies: a checkout below /root can be read by root alone.
  const copy = (from: string, name: string): string => {
    const to = join(root, name);
    copyFileSync(from, to);
    chmodSync(to, 0o755);
    return to;
  };
  const work = join(root, "work");
  mkdirSync(work);
  chownSync(work, caller.uid, caller.gid);
  return {
    as,
    root: work,
    launcher: copy(switchable ? buildSwitchable() : launcherPath(), "nacre-launcher"),
    node: copy(process.execPath, "node"),
    outside: as === "root" ? { uid: agent, gid: agent } : caller,
    caller,
    dispose: () => rmSync(root, { recursive: true, force: true }),
  };
}

const launcherPath = (): string => join(crate, "target/x86_64-unknown-linux-gnu/release/nacre-launcher");

function buildSwitchable(): string {
  const target = join(crate, "target/switchable");
  const flags = ["--locked", "-q", "--profile", "switchable", "--features", "switchable-walls"];
  execFileSync("cargo", ["build", ...flags, "--target-dir", target], { cwd: crate, stdio: "inherit" });
  return join(target, "x86_64-unknown-linux-gnu/switchable/nacre-launcher");
}

/** The system call filter that ships. */
export const profile = (name: "agent" | "egress"): unknown =>
  JSON.parse(
    readFileSync(
      join(dirname(dirname(crate.replace(/\/$/, ""))), "policies/seccomp", `${name}.json`),
      "utf8",
    ),
  );

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inside, sandboxEnvironment } from "../../lib/host/inside.ts";
import type { SandboxSpec } from "../../lib/host/launch-spec.ts";
import { launcherPath } from "../../lib/host/launcher.ts";
import { sandboxRoot } from "../../lib/host/sandbox-root.ts";
import { capture } from "../../lib/host/sandbox-spec.ts";
import { prepareTrust } from "../../lib/host/trust.ts";
import { agentSpec } from "../host/specs.ts";
import { interleaved } from "./measure.ts";
import { compared, type Bench, type Row } from "./report.ts";

const rounds = 150;

/** bubblewrap with what makes it comparable: the same namespaces, and a root of its own. It has no capture, Landlock or seccomp. */
export const bubblewrap = [
  "bwrap",
  "--unshare-all",
  "--ro-bind",
  "/",
  "/",
  "--proc",
  "/proc",
  "--dev",
  "/dev",
];

/** `/bin/true` behind all four walls: namespaces, root, capture, Landlock, seccomp, init; then gone. */
export const launcher: Bench = { name: "launcher", rows };

async function* rows(): AsyncGenerator<Row> {
  const folder = mkdtempSync(join(tmpdir(), "nacre-bench-"));
  chmodSync(folder, 0o755);
  try {
    const spec = join(folder, "spec.json");
    writeFileSync(spec, JSON.stringify(await specIn(folder)));
    const launch = (): number => {
      const descriptor = openSync(spec, "r");
      try {
        return once([launcherPath(), "sandbox"], descriptor);
      } finally {
        closeSync(descriptor);
      }
    };
    const { ours, peer } = await interleaved(rounds, { ours: launch, peer: bubblewrapped });
    yield compared("launcher: /bin/true, all walls", ours, peer, {
      most: 1.2,
      note: `against ${bubblewrap.join(" ")} /bin/true, which sets no capture, Landlock or seccomp; ${rounds} of each in turns`,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const bubblewrapped = (): number => once([...bubblewrap, "/bin/true"]);

/** Milliseconds from the start of a program to its end, which must be a good one. */
function once(argv: readonly string[], descriptor?: number): number {
  const [program = "", ...rest] = argv;
  const began = performance.now();
  const { status, stderr, error } = spawnSync(program, rest, {
    stdio: ["ignore", "ignore", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
    env: {},
    encoding: "utf8",
  });
  const time = performance.now() - began;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${status ?? "a signal"}: ${stderr}`);
  return time;
}

/** What the daemon would ask for, in one shot. */
async function specIn(directory: string): Promise<SandboxSpec> {
  const root = process.getuid?.() === 0;
  const ids = root
    ? { uid: 700_000, gid: 700_000 }
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const data = join(directory, "data");
  for (const path of [data, join(directory, "logs")]) mkdirSync(path, { mode: 0o700 });
  if (root) chownSync(data, ids.uid, ids.gid);
  const trust = await prepareTrust(join(directory, "trust"), "bench/true");
  const { files, seccomp, name } = agentSpec({ name: "true" });
  const shown = sandboxRoot(files, name, { data, trust });
  return {
    id: "bench/true",
    generation: 1,
    hostname: name,
    directory,
    identity: { inside: inside.ids, outside: ids },
    root: shown.root,
    landlock: { requirement: "required", rules: shown.rules },
    seccomp: { requirement: "required", profile: seccomp },
    network: capture,
    limits: { open_files: 65_536, cgroup: "auto" },
    process: {
      argv: ["/bin/true"],
      env: sandboxEnvironment({}),
      cwd: inside.workspace,
      restart: { policy: "never", initial_ms: 500, max_ms: 30_000 },
    },
    ports: [],
    grace_ms: 0,
    wait: true,
  };
}

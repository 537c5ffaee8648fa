import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import type { Wall } from "../../../lib/host/launch-spec.ts";
import { workspacePaths } from "../../../lib/host/paths.ts";
import type { HostSandbox } from "../../../lib/synth/host-objects.ts";
import type { Wire, World } from "../../egress/world/world.ts";
import { machine, type Ran, type User } from "../../host/machine.ts";
import { agentSpec } from "../../host/specs.ts";
import { everyone, place } from "../../launcher/place.ts";
import type { At, Outside } from "./rows.ts";

export const id = "dev/assistant";
/** Of the host's own services. */
const port = 8081;

/** A sandbox that the product brought up on the world's host, and what lies around outside for it to reach. */
export interface Stage {
  readonly host: ReturnType<typeof machine>;
  readonly wire: Wire;
  readonly outside: Outside;
  readonly inside: At;
  readonly beside: At;
  /** A folder that anybody may write, on the host. */
  readonly open: string;
  /** Through the product's own way in. */
  readonly run: (argv: readonly string[]) => Promise<Ran>;
  /** The same without a wall: on the host, as the one who runs the daemon, or as root there. */
  readonly runBeside: (argv: readonly string[], as: "caller" | "root") => Promise<Ran>;
  readonly strike: () => Promise<void>;
}

/** Everything that all stages of a test file share; call once the world is there. */
export async function furnish(world: World): Promise<void> {
  const repository = path.join(world.folder, "repository");
  const work = path.join(world.folder, "work");
  const git = (...words: string[]): unknown =>
    execFileSync("git", ["-c", "user.name=n", "-c", "user.email=n@example.com", ...words], { stdio: "pipe" });
  git("init", "-q", work);
  fs.writeFileSync(path.join(work, "file"), "from the repository\n");
  git("-C", work, "add", "file");
  git("-C", work, "commit", "-qm", "first");
  git("clone", "-q", "--bare", work, repository);
  git("-C", repository, "update-server-info");
  const script = path.join(import.meta.dirname, "services.ts");
  await world.startOutside([process.execPath, script, world.folder, String(port), abstract]);
  // Any user of the host may ping, as on most distributions.
  const groups = process.getuid?.() === 0 ? "0 2147483647" : "0 0";
  const anybody = `echo ${groups} > /proc/sys/net/ipv4/ping_group_range`;
  if (process.getuid?.() === 0)
    execFileSync(world.entry(0)[0] ?? "", [...world.entry(0).slice(1), "sh", "-c", anybody]);
  else await world.runOutside(anybody);
}
const abstract = `nacre-attack-${process.pid}`;

const network: HostSandbox["network"] = {
  allowed: { endpoints: [{ host: "allowed.example.com", ports: [80, 443] }] },
  guarded: {
    endpoints: ["own", "rebound", "metadata", "private"].map((name) => ({
      host: `${name}.example.com`,
      ports: [80, port],
    })),
  },
};

export async function stage(world: World, user: User, off: readonly Wall[]): Promise<Stage> {
  const ends: (() => unknown)[] = [];
  const strike = async (): Promise<void> => {
    for (const end of ends.reverse()) await end();
  };
  try {
    return await build(world, user, off, ends, strike);
  } catch (error) {
    await strike();
    throw error;
  }
}

async function build(
  world: World,
  user: User,
  off: readonly Wall[],
  ends: (() => unknown)[],
  strike: () => Promise<void>,
): Promise<Stage> {
  // Not below /tmp, which is the agent's own inside.
  const folder = fs.mkdtempSync("/var/tmp/nacre-attack-");
  ends.push(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.chmodSync(folder, 0o755);
  const authority = path.join(folder, "authority.crt");
  fs.copyFileSync(path.join(world.folder, "ca.crt"), authority);
  fs.chmodSync(authority, 0o644);
  const switched = off.length === 0 ? undefined : place(everyone[0] ?? "user", true);
  if (switched !== undefined) ends.push(switched.dispose);
  const environment = {
    SSL_CERT_FILE: authority,
    ...(switched === undefined ? {} : { NACRE_LAUNCHER: switched.launcher, NACRE_WALLS_OFF: off.join(",") }),
  };
  const host = machine(user, environment, {
    entry: (uid) => world.entry(uid),
    atEnd: (end) => ends.push(end),
  });

  const key = path.join(host.home, ".ssh", "id_ed25519");
  fs.mkdirSync(path.dirname(key), { mode: 0o700 });
  fs.writeFileSync(key, "a key of the host\n", { mode: 0o600 });
  for (const each of [path.dirname(key), key]) fs.chownSync(each, host.uid, host.uid);
  const open = path.join(folder, "open");
  fs.mkdirSync(open);
  fs.chmodSync(open, 0o777);
  const socket = path.join(folder, "service.sock");
  const server = net.createServer((connection) => void connection.resume().end());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  ends.push(() => server.close());
  fs.chmodSync(socket, 0o777);

  const reading = await host.create(agentSpec({ network }));
  const captures = reading.problems.filter((problem) => !problem.includes("captures nothing"));
  if (!reading.running || captures.length > 0) throw new Error(JSON.stringify(reading));
  const { data } = workspacePaths(host.state, id);
  fs.symlinkSync(key, path.join(data, "link"));
  fs.symlinkSync(path.dirname(key), path.join(data, "folder-link"));
  const wire = await world.wire("any");
  ends.push(() => wire.stop());

  return {
    host,
    wire,
    open,
    outside: { key, open, socket, abstract, port, state: host.state, planted: plant(data) },
    inside: { workspace: "/sandbox", process: 1 },
    beside: { workspace: data, process: await host.daemonPid() },
    run: (argv) => host.run(id, argv),
    runBeside: (argv, as) => runBeside(world.entry(as === "root" ? 0 : host.uid), argv, host.node),
    strike,
  };
}

/** Programs of root that make whoever runs them root: only root can plant them. */
function plant(data: string): Outside["planted"] {
  if (process.getuid?.() !== 0) return undefined;
  const copy = (program: string): string => {
    const to = path.join(data, `planted-${path.basename(program)}`);
    fs.copyFileSync(program, to);
    fs.chmodSync(to, 0o4755);
    return path.basename(to);
  };
  return { id: copy("/usr/bin/id"), bash: copy("/bin/bash") };
}

function runBeside(entry: readonly string[], argv: readonly string[], node: string): Promise<Ran> {
  const [command = "", ...words] = [...entry, ...argv];
  const env = { PATH: `${path.dirname(node)}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: os.tmpdir() };
  return new Promise((resolve) => {
    const child = execFile(command, words, { env, cwd: "/" }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

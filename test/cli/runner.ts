import { execFile, execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { ended, identify, signalProcess } from "../../lib/host/process-identity.ts";
import { ordinary, type User } from "../host/machine.ts";
import { ownToolchain, readableToolchain } from "../host/toolchain.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A folder of work, and a state of its own, for `nacre run` as root or as an ordinary user. Gone after the tests. */
export function runner(user: User) {
  const base = mkdtempSync(join(tmpdir(), "nacre-run-"));
  const [state, folder, home] = [join(base, "state"), join(base, "folder"), join(base, "home")];
  const uid = user === "root" || process.getuid?.() !== 0 ? (process.getuid?.() ?? 0) : ordinary;
  for (const path of [folder, home]) mkdirSync(path);
  for (const path of [base, folder, home]) chownSync(path, uid, uid);
  const { root, node } = uid === process.getuid?.() ? ownToolchain : readableToolchain();
  const program = (argv: readonly string[]) => [join(root, "lib/cli/main.ts"), ...argv];
  const options = {
    uid,
    gid: uid,
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      NACRE_STATE_DIR: state,
      NACRE_CACHE_DIR: join(base, "cache"),
      XDG_CONFIG_HOME: join(base, "config"),
      NO_COLOR: "1",
    },
  };
  afterAll(async () => {
    const { pid } = JSON.parse(readFileSync(join(state, "daemon.json"), "utf8")) as { pid: number };
    const daemon = identify(pid);
    if (daemon !== undefined) {
      signalProcess(daemon, "SIGTERM");
      expect(await ended(daemon, 10_000)).toBe(true);
    }
    // A daemon that ends leaves its trash to the next one; an overlay's work folder in it forbids itself to its owner.
    execFileSync("chmod", ["-R", "u+rwx", base]);
    rmSync(base, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  const execute = (file: string, argv: readonly string[]): Promise<Ran> =>
    new Promise((resolve) => {
      execFile(file, argv, options, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });
  /** A script in the folder, outside every wall, as the same user. */
  const outside = async (script: string): Promise<string> => {
    const done = await execute("bash", ["-ec", script]);
    expect(done, script).toMatchObject({ code: 0 });
    return done.out;
  };
  return {
    folder,
    state,
    base,
    /** `nacre ARGV` in the folder. */
    nacre: (...argv: string[]): Promise<Ran> => execute(node, program(argv)),
    /** The same, under way. */
    start: (...argv: string[]): ChildProcess =>
      spawn(node, program(argv), { ...options, stdio: ["pipe", "pipe", "pipe"] }),
    outside,
    /** Makes the folder a git checkout with one commit, whatever was in it. */
    checkout: async (): Promise<void> => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
      await outside(checkout);
    },
  };
}

const git = "git -c user.name=t -c user.email=t@example.com -c init.defaultBranch=main";
const checkout = `
printf '1\\n2\\n3\\n' > changed; echo old > deleted; echo same > moved; mkdir -p again/deep; echo x > again/deep/file
echo y > again/kept; ln -s changed link; echo private > private; chmod 600 private; printf '#!/bin/sh\\n' > script
mkdir gone; echo z > gone/file; echo '*.log' > .gitignore
mkdir -p bare/objects bare/refs; echo n > bare/objects/n; echo n > bare/refs/n
${git} init -q . && ${git} add -A && ${git} commit -qm first`;

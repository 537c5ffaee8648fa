import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { ended, identify, signalProcess } from "../../lib/host/process-identity.ts";

export const checkout = join(import.meta.dirname, "../..");

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A folder with a blueprint, and a state of its own; the daemon that came up for it ends with the test. */
export function place(blueprint: string = sleeper()) {
  const base = mkdtempSync(join(tmpdir(), "nacre-missing-"));
  const [project, state] = [join(base, "project"), join(base, "state")];
  mkdirSync(project);
  writeFileSync(join(project, "blueprint.yaml"), blueprint);
  onTestFinished(async () => {
    await endDaemon(state);
    rmSync(base, { recursive: true, force: true });
  });
  const env = {
    ...process.env,
    NACRE_STATE_DIR: state,
    XDG_CONFIG_HOME: join(base, "config"),
    NACRE_STACK: "dev",
    NO_COLOR: "1",
  };
  return {
    base,
    project,
    state,
    write: (name: string, text: string | Buffer): void => writeFileSync(join(project, name), text),
    /** `nacre ARGS` in the folder, started by `wrapper` where there is one. */
    nacre: (
      args: readonly string[],
      options: { readonly wrapper?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
    ): Ran =>
      run(
        [...(options.wrapper ?? []), process.execPath, join(checkout, "lib/cli/main.ts"), ...args],
        project,
        { ...env, ...options.env },
      ),
  };
}

/** A blueprint that needs nothing but a kernel. */
export const sleeper = (more = ""): string => `apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: assistant, version: 1.0.0 }
agents:
  assistant:
    command: [sleep, infinity]
${more}`;

export function run(argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Ran {
  const [program = "", ...args] = argv;
  const done = spawnSync(program, args, { cwd, env, encoding: "utf8", timeout: 300_000 });
  if (done.error !== undefined) throw done.error;
  return { code: done.status, out: done.stdout, err: done.stderr };
}

/** An error as a person needs it: what it is about, why, and what to do. */
export function expectError(
  ran: Ran,
  parts: { readonly code: number; readonly subject: RegExp; readonly reason: RegExp; readonly fix: RegExp },
): void {
  const said = `${ran.out}\n${ran.err}`;
  expect(said).toMatch(parts.subject);
  expect(said).toMatch(parts.reason);
  expect(said).toMatch(parts.fix);
  expect(said).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m); // a stack is no explanation
  expect(ran.code, said).toBe(parts.code);
}

/** What lies under a folder; nothing where there is no folder. */
export const listing = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }).sort() : [];

/** The next command starts another. */
export async function endDaemon(state: string): Promise<void> {
  const path = join(state, "daemon.json");
  if (!existsSync(path)) return;
  const { pid } = JSON.parse(readFileSync(path, "utf8")) as { pid: number };
  const daemon = identify(pid);
  if (daemon === undefined) return;
  signalProcess(daemon, "SIGTERM");
  if (!(await ended(daemon, 10_000))) throw new Error("the daemon does not end");
}

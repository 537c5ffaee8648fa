import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Writable } from "node:stream";
import type { Entry } from "../host/api.ts";
import type { ExecSpec } from "../host/launch-spec.ts";

/**
 * Runs a command inside through the launcher, which relays this process' own stdio: no descriptor of the host's gets
 * in. Returns the command's exit code, 128 + n for a signal.
 */
export function execInside(entry: Entry, argv: readonly string[], tty: boolean): Promise<number> {
  const spec: ExecSpec = {
    control: entry.control,
    argv: [...argv],
    env: tty ? { ...entry.env, TERM: process.env["TERM"] ?? "dumb" } : entry.env,
    cwd: entry.cwd,
    tty,
  };
  const child = spawn(entry.launcher, ["exec"], { stdio: ["inherit", "inherit", "inherit", "pipe"] });
  const channel = child.stdio[3] as Writable;
  // The launcher may end before it has read the whole of it; its exit code and message say why.
  channel.on("error", () => undefined);
  channel.end(JSON.stringify(spec));
  // The terminal sends these to the whole foreground group, the launcher among it: it passes them on.
  const ignored = ["SIGINT", "SIGQUIT"] as const;
  const passOn = (): void => undefined;
  for (const signal of ignored) process.on(signal, passOn);
  const terminate = (): void => void child.kill("SIGTERM");
  process.on("SIGTERM", terminate);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      for (const name of ignored) process.off(name, passOn);
      process.off("SIGTERM", terminate);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

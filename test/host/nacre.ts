import { spawn } from "node:child_process";
import { join } from "node:path";
import type { machine } from "./machine.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `nacre ARGV` as the user of a test's machine, against its daemon. */
export function nacre(
  { node, root, home, state, uid }: ReturnType<typeof machine>,
  argv: readonly string[],
  input = "",
): Promise<Ran> {
  const child = spawn(node, [join(root, "lib/cli/main.ts"), ...argv], {
    cwd: home,
    uid,
    gid: uid,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: home, NACRE_STATE_DIR: state, NO_COLOR: "1" },
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code: code ?? -1, out, err })));
}

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "../../../lib/host/paths.ts";
import type { Absent, Peer } from "./peers.ts";
import { missing, pathOf } from "./programs.ts";
import { host, ports } from "./rules.ts";
import type { Stage } from "./stage.ts";

const pin = "mitmproxy==11.0.2";

/** mitmproxy of PyPI before the origin, without rules: TLS ended, read, and TLS anew. */
export async function mitmproxy(stage: Stage): Promise<Peer | Absent> {
  const name = pin.replace("==", " ");
  let program: string;
  try {
    program = made();
  } catch (error) {
    return { name, why: error instanceof Error ? error.message : String(error) };
  }
  const port = 8890;
  const settings = [
    `ssl_verify_upstream_trusted_ca=${stage.folder}/ca.crt`,
    `confdir=${join(stage.folder, "mitmproxy")}`,
    "connection_strategy=lazy",
  ];
  const argv = [
    program,
    "-q",
    ...["--mode", `reverse:https://${host}:${ports.https}`],
    ...["--listen-host", "127.0.0.1", "--listen-port", String(port)],
    ...settings.flatMap((each) => ["--set", each]),
  ];
  return { name, port, pid: await stage.launch("egress", argv, port, "self"), closes: false };
}

/** Installed once a machine, in a Python environment of its own. */
function made(): string {
  const folder = join(cacheDirectory(), "test", pin.replace("==", "-"));
  const program = join(folder, "bin/mitmdump");
  if (existsSync(join(folder, "made"))) return program;
  const python = pathOf("python3");
  if (python === undefined) throw new Error(missing("python3"));
  process.stderr.write(`installing ${pin} (once, about a minute) …\n`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, ".."), { recursive: true });
  const command = [join(folder, "bin/python"), "-m", "pip", "install", "-q", pin];
  try {
    execFileSync(python, ["-m", "venv", folder], { stdio: "pipe" });
    execFileSync(command[0] ?? "", command.slice(1), { stdio: "pipe" });
  } catch {
    throw new Error(
      `${pin} is not on this machine, and could not be installed; to have it: ${command.join(" ")}`,
    );
  }
  writeFileSync(join(folder, "made"), "");
  return program;
}

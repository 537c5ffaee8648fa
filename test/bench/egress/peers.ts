import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { missing, pathOf } from "./programs.ts";
import { denied, expressions, first, host, ports } from "./rules.ts";
import type { Stage } from "./stage.ts";

/** A proxy of others that was started beside the egress. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** It ends the connection after every answer, and does not say so in it. */
  readonly closes: boolean;
}

/** Why there is none. */
export interface Absent {
  readonly name: string;
  readonly why: string;
}

const started = async (stage: Stage, name: string, port: number, argv: readonly string[]): Promise<Peer> => ({
  name,
  port,
  pid: await stage.launch("egress", argv, port),
  closes: false,
});

/** Debian's squid with the same rules, one process, no cache, a log line a request. */
export async function squid(stage: Stage): Promise<Peer | Absent> {
  const program = pathOf("squid");
  if (program === undefined) return { name: "squid", why: missing("squid") };
  const port = 3128;
  const settings = join(stage.folder, "squid.conf");
  const lines = [
    `http_port 127.0.0.1:${port}`,
    "pid_filename none",
    "cache deny all",
    "pinger_enable off",
    "shutdown_lifetime 0 seconds",
    "visible_hostname bench",
    `access_log stdio:${stage.folder}/squid-access.log`,
    `cache_log ${stage.folder}/squid.log`,
    `coredump_dir ${stage.folder}`,
    "acl tunnel method CONNECT",
    `acl first port ${first.port}`,
    `acl named dstdomain ${first.name}`,
    `acl addressed dst ${first.address}`,
    `acl api dstdomain ${host}`,
    `acl plain port ${ports.http}`,
    "acl reads method GET HEAD",
    ...expressions.map((each) => `acl paths urlpath_regex ${each}`),
    `acl secret urlpath_regex ${denied}`,
    "http_access deny api secret",
    "http_access allow api plain reads paths",
    "http_access allow tunnel first named",
    "http_access allow tunnel first addressed",
    "http_access deny all",
  ];
  writeFileSync(settings, `${lines.join("\n")}\n`);
  const version = /Version (\S+)/.exec(execFileSync(program, ["--version"], { encoding: "utf8" }))?.[1];
  return started(stage, `squid ${version ?? "?"}`, port, [program, "-N", "-f", settings]);
}

/** Debian's tinyproxy with the same rules; it keeps no connection open. */
export async function tinyproxy(stage: Stage): Promise<Peer | Absent> {
  const program = pathOf("tinyproxy");
  if (program === undefined) return { name: "tinyproxy", why: missing("tinyproxy") };
  const port = 8888;
  const [settings, filter] = [join(stage.folder, "tinyproxy.conf"), join(stage.folder, "tinyproxy.filter")];
  const urls = expressions.map((each) => `^http://${host}:${ports.http}${each.slice(1)}`);
  const tunnels = [first.name, first.address].map((each) => `^${each}`);
  writeFileSync(filter, `${[...urls, ...tunnels].join("\n")}\n`);
  const lines = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Timeout 60",
    "MaxClients 400",
    `LogFile "${stage.folder}/tinyproxy.log"`,
    "LogLevel Connect",
    `Filter "${filter}"`,
    "FilterURLs On",
    "FilterType ere",
    "FilterDefaultDeny Yes",
    `ConnectPort ${first.port}`,
  ];
  writeFileSync(settings, `${lines.join("\n")}\n`);
  const version = /\d\S*/.exec(execFileSync(program, ["-v"], { encoding: "utf8" }))?.[0];
  const peer = await started(stage, `tinyproxy ${version ?? "?"}`, port, [program, "-d", "-c", settings]);
  return { ...peer, closes: true };
}

export async function plainNode(stage: Stage): Promise<Peer> {
  const port = 8889;
  const file = new URL("plain-proxy.ts", import.meta.url).pathname;
  const pid = await stage.launch("egress", [process.execPath, file, String(port)], port, "self");
  return { name: "plain Node", port, pid, closes: false };
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { missing, pathOf } from "./programs.ts";
import { asked, host } from "./rules.ts";
import { processorMs, type Stage } from "./stage.ts";

/** Requests, one after the other on each of some connections that are kept open, each for another path. */
export interface Load {
  readonly where: "agent" | "egress";
  /** What is connected to: `http://127.0.0.1:3128`. */
  readonly to: string;
  /** What the target of a request starts with: nothing, or for a forward proxy `http://HOST:PORT`. */
  readonly prefix: string;
  /** The port that Host says. */
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** The proxy ends the connection after every answer, and does not say so in it: that is no failure then. */
  readonly closes?: boolean | undefined;
}

export interface Carried {
  /** A second. */
  readonly rate: number;
  /** Microseconds of processor that the proxy took for one. */
  readonly cost: number;
}

/** Which program makes the load. */
export const loadProgram = (): string =>
  pathOf("wrk") === undefined ? `Node client (${missing("wrk")})` : "wrk";

/** Throws where one request was not answered with 200. `pid`: of the proxy. */
export async function load(stage: Stage, pid: number, what: Load): Promise<Carried> {
  const [program = "", ...rest] = [...stage.words(what.where), ...argvOf(what)];
  const spent = processorMs(pid);
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  const line = /^result (\d+) (\d+) (\d+) (\d+)$/m.exec(out);
  if (line === null) throw new Error(`the load on ${what.to} ended with ${String(code)}: ${out}${errors}`);
  const [requests = 0, microseconds = 0, failed = 0, cut = 0] = line.slice(1).map(Number);
  const lost = failed + (what.closes === true ? 0 : cut);
  if (lost > 0 || requests === 0) throw new Error(`${lost} of ${requests} requests to ${what.to} failed`);
  return {
    rate: requests / (microseconds / 1e6),
    cost: ((processorMs(pid) - spent) * 1000) / requests,
  };
}

function argvOf({ to, prefix, port, connections, seconds, closes = false }: Load): string[] {
  const wrk = pathOf("wrk");
  const script = (name: string): string => new URL(name, import.meta.url).pathname;
  const [target, named] = [`${prefix}${asked}`, `${host}:${port}`];
  if (wrk === undefined)
    return [
      ...[process.execPath, script("plain-load.ts"), to, target, named],
      ...[connections, seconds, closes].map(String),
    ];
  const amount = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s"];
  return [wrk, ...amount, "-s", script("requests.lua"), to, "--", target, named, String(Date.now() % 1e6)];
}

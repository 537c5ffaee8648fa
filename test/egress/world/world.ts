import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import type { Readable } from "node:stream";
import { issue, makeAuthority } from "../../../lib/egress/authority.ts";
import { egressNodeOptions } from "../../../lib/host/egress-spec.ts";
import { javaKeyStore } from "../../../lib/host/java-key-store.ts";
import { auditFile, auditParts } from "../../../lib/egress/audit-parts.ts";
import { readAudit } from "../../../lib/egress/denials.ts";
import type { AuditRecord } from "../../../lib/egress/audit-record.ts";
import type { Command, Configure, Report } from "../../../lib/egress/protocol.ts";
import { reportSchema } from "../../../lib/egress/protocol.ts";

const here = import.meta.dirname;

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** What a request was when it came to an origin. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  /** `[name, value, …]`, as they came. */
  readonly headers: readonly string[];
  readonly body?: string;
  readonly trailers?: readonly string[];
}

/** Bytes for one host and port as they are, each case on a connection of its own. */
export interface RawJob {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Latin-1, piece by piece. */
  readonly cases: readonly { readonly send: readonly string[] }[];
}

/** What the egress' host resolves. Public names, and some that answer with what must not be dialled. */
const names: Readonly<Record<string, readonly string[]>> = {
  "allowed.example.com": ["93.184.216.34", "2606:2800:220:1::34"],
  "other.example.com": ["93.184.216.35"],
  "api.example.com": ["93.184.216.34"],
  "open.example.com": ["93.184.216.34"],
  "git.example.com": ["93.184.216.34"],
  "registry.example.com": ["93.184.216.34"],
  "index.example.com": ["93.184.216.34"],
  "api.example.org": ["93.184.216.34"],
  "six.example.com": ["2606:2800:220:1::35"],
  "halfdead.example.com": ["2606:2800:220:1::99", "93.184.216.34"],
  "rebound.example.com": ["93.184.216.34", "127.0.0.1"],
  "metadata.example.com": ["169.254.169.254"],
  "private.example.com": ["10.77.0.1"],
  "private.example.org": ["10.77.0.1"],
  "own.example.com": ["93.184.216.1"],
  "pool.example.com": ["25.255.0.9"],
  "nat64.example.com": ["64:ff9b::10.77.0.1"],
};

/** Namespaces, servers and one egress process; everything of it ends with `stop`. */
export class World {
  readonly folder: string;
  readonly #seen: string;
  readonly #children: ChildProcess[] = [];
  #world = 0;
  #agent = 0;
  #servers = 0;

  /** The sandbox' own, which the agent trusts beside that of the servers. */
  readonly authority = makeAuthority("sandbox");

  private constructor(folder: string) {
    this.folder = folder;
    this.#seen = path.join(folder, "origin.jsonl");
  }

  static async make(): Promise<World> {
    const world = new World(fs.mkdtempSync(path.join(os.tmpdir(), "nacre-world-")));
    try {
      await world.#build();
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  async #build(): Promise<void> {
    const authority = makeAuthority("world");
    const leaf = issue(authority, "*.example.com");
    this.#write("server.crt", leaf.certificate);
    this.#write("server.key", leaf.key);
    this.#write("ca.crt", authority.certificate);
    this.#write("agent-ca.crt", `${authority.certificate}\n${this.authority.certificate}`);
    this.#write("cacerts", javaKeyStore(`${authority.certificate}\n${this.authority.certificate}`));
    this.#write("names.json", JSON.stringify(names));
    this.#write("agent-hosts", "127.0.0.1 localhost\n");
    this.#write("hosts", "127.0.0.1 localhost\n93.184.216.35 hosts-file.example.com\n");
    this.#write(
      "resolv.conf",
      "nameserver 93.184.216.53\nsearch corp.example.com\noptions timeout:1 attempts:1\n",
    );
    this.#write("agent-resolv.conf", "nameserver 25.255.0.1\n");
    const command = [
      "--user",
      "--map-root-user",
      "--net",
      "--mount",
      "bash",
      path.join(here, "world.sh"),
      this.folder,
    ];
    const world = this.#keep(spawn("unshare", command, { stdio: ["ignore", "pipe", "inherit"] }));
    this.#world = world.pid ?? 0;
    const ready = /^ready (\d+) (\d+)$/.exec(await firstLine(world.stdout));
    this.#agent = Number(ready?.[1]);
    this.#servers = Number(ready?.[2]);
    const servers = this.#enter(
      this.#servers,
      ["-n"],
      [process.execPath, path.join(here, "servers.ts"), this.folder],
    );
    await firstLine(servers.stdout as Readable);
  }

  /** Runs a program as the agent would: no proxy variable, loopback and capture only. */
  async run(script: string, environment: Record<string, string> = {}): Promise<Ran> {
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: "/tmp",
      CURL_CA_BUNDLE: `${this.folder}/agent-ca.crt`,
      ...environment,
    };
    const [program = "", ...entry] = this.agentEntry();
    const words = [...entry, "bash", "-c", script];
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], env });
    const [out, error, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    return { code: code as number, out, error };
  }

  /** Sends bytes as the agent would. `out` is the JSON array of what `raw.ts` says of each case. */
  async raw(job: RawJob): Promise<Ran> {
    const file = path.join(this.folder, "job.json");
    fs.writeFileSync(file, JSON.stringify(job));
    return await this.run(`${process.execPath} ${path.join(here, "raw.ts")} ${file}`, {
      NODE_EXTRA_CA_CERTS: `${this.folder}/agent-ca.crt`,
    });
  }

  /** The requests that came to the origins, in order, since `forget`. */
  seen(): SeenRequest[] {
    if (!fs.existsSync(this.#seen)) return [];
    const lines = fs.readFileSync(this.#seen, "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as SeenRequest);
  }

  forget(): void {
    fs.rmSync(this.#seen, { force: true });
  }

  /** Runs a program on the egress' host. */
  async runOutside(script: string): Promise<Ran> {
    const child = this.#enter(this.#world, ["-n", "-m"], ["bash", "--norc", "-c", `${script} 2>&1`]);
    const [out, [code]] = await Promise.all([text(child.stdout as Readable), once(child, "close")]);
    return { code: code as number, out, error: "" };
  }

  /** A program of the agent that goes on running. */
  start(script: string): ChildProcess {
    const [program = "", ...entry] = this.agentEntry();
    const words = [...entry, "bash", "-c", script];
    return this.#keep(spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] }));
  }

  /**
   * Starts an egress process with the sandbox's sockets, which waits for its configuration.
   * @param options of Node, beside those that every egress has
   */
  bareEgress(of: string = String(this.#agent), options: readonly string[] = []): RunningEgress {
    const state = fs.mkdtempSync(path.join(this.folder, "egress-"));
    const main = path.resolve(here, "../../../lib/egress/main.ts");
    const node = [process.execPath, ...egressNodeOptions, ...options, main];
    const program = ["python3", path.join(here, "inherit.py"), of, ...node];
    const child = this.#enter(this.#world, ["-n", "-m"], program, { SSL_CERT_FILE: `${this.folder}/ca.crt` });
    return new RunningEgress(child, path.join(state, "audit.jsonl"));
  }

  /** The same, configured and serving; of a real sandbox where `egressSocket` is one. */
  async egress(
    network: Partial<Configure["network"]>,
    more: Partial<Configure> = {},
    options: readonly string[] = [],
  ): Promise<RunningEgress> {
    const egress = this.bareEgress(more.egressSocket ?? undefined, options);
    egress.send({
      type: "configure",
      sandbox: "test/world",
      network: { revision: 1, base: {}, allows: [], blocks: [], ...network },
      grants: [],
      pool: { prefix: "25.255.0.0/16" },
      inference: null,
      credentials: {},
      secrets: {},
      authority: this.authority,
      ports: [],
      audit: egress.audit,
      poolFile: path.join(path.dirname(egress.audit), "pool.json"),
      egressSocket: null,
      ...more,
    });
    await egress.next("ready");
    return egress;
  }

  /** Every packet that leaves the egress' host or comes to it while `during` runs, one line each. */
  async packets(during: () => Promise<unknown>): Promise<string[]> {
    const wire = await this.wire("up0");
    try {
      await during();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return await wire.since();
    } finally {
      await wire.stop();
    }
  }

  /** Listens to an interface of the egress' host, or to all of them, loopback too. */
  async wire(on: "up0" | "any"): Promise<Wire> {
    const sniffer = this.#enter(this.#world, ["-n"], ["python3", path.join(here, "sniff.py"), on]);
    const wire = new Wire(sniffer);
    await wire.listening();
    return wire;
  }

  /** Words before a program that is to run on the egress' host, or where the servers are, as itself, not as the world's root. */
  entry(uid: number, where: "egress" | "servers" = "egress"): string[] {
    const pid = where === "egress" ? this.#world : this.#servers;
    const there = ["nsenter", "-t", String(pid), "-n", "-m"];
    const as = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
    if (process.getuid?.() === 0) return uid === 0 ? there : [...there, "setpriv", ...as];
    // An ordinary user comes in as the world's root, and is itself again in a user namespace below.
    const itself = ["--user", `--map-user=${uid}`, `--map-group=${process.getgid?.() ?? uid}`];
    return [...there, "-U", "--preserve-credentials", "unshare", ...itself];
  }

  /** Words before a program that is to run as the agent's do. */
  agentEntry(): string[] {
    return ["nsenter", "-t", String(this.#agent), "-U", "-n", "-m", "--preserve-credentials"];
  }

  /** A program on the egress' host that goes on running, once it said a line. */
  async startOutside(program: string[]): Promise<void> {
    await firstLine(this.#enter(this.#world, ["-n", "-m"], program).stdout as Readable);
  }

  /** Ends what was started, the world itself last; its namespaces go with it. */
  async stop(): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill(child.pid === this.#world ? "SIGTERM" : "SIGKILL");
      await once(child, "exit");
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  #enter(
    pid: number,
    namespaces: string[],
    program: string[],
    environment: Record<string, string> = {},
  ): ChildProcess {
    const arguments_ = ["-t", String(pid), "-U", ...namespaces, "--preserve-credentials", ...program];
    const env = { PATH: process.env["PATH"] ?? "", ...environment };
    return this.#keep(spawn("nsenter", arguments_, { stdio: ["pipe", "pipe", "inherit"], env }));
  }

  #keep<T extends ChildProcess>(child: T): T {
    this.#children.push(child);
    return child;
  }

  #write(name: string, content: string | Buffer): void {
    // Any user of the host reads its names; the folder itself is private.
    fs.writeFileSync(path.join(this.folder, name), content, { mode: name.endsWith(".key") ? 0o600 : 0o644 });
  }
}

/** What was on the wire, packet by packet. */
export class Wire {
  readonly #sniffer: ChildProcess;
  readonly #lines: readline.Interface;
  #seen: string[] = [];
  #marks = 0;

  constructor(sniffer: ChildProcess) {
    this.#sniffer = sniffer;
    this.#lines = readline.createInterface({ input: sniffer.stdout as Readable });
  }

  async listening(): Promise<void> {
    await once(this.#lines, "line");
    this.#lines.on("line", (line) => this.#seen.push(line));
  }

  /** The packets since it was asked before, one line each. Whatever was sent before it is asked is among them. */
  async since(): Promise<string[]> {
    const mark = `mark ${(this.#marks += 1)}`;
    this.#sniffer.stdin?.write(`${mark}\n`);
    while (!this.#seen.includes(mark)) await once(this.#lines, "line");
    const at = this.#seen.indexOf(mark);
    return this.#seen.splice(0, at + 1).slice(0, -1);
  }

  async stop(): Promise<void> {
    if (this.#sniffer.exitCode !== null || this.#sniffer.signalCode !== null) return;
    this.#sniffer.kill("SIGKILL");
    await once(this.#sniffer, "exit");
  }
}

/** The control channel's other end, as the daemon has it. */
export class RunningEgress {
  readonly audit: string;
  readonly child: ChildProcess;
  readonly reports: Report[] = [];
  #waiting: (() => void)[] = [];

  constructor(child: ChildProcess, audit: string) {
    this.child = child;
    this.audit = audit;
    readline.createInterface({ input: child.stdout as Readable }).on("line", (line) => {
      this.reports.push(reportSchema.parse(JSON.parse(line)));
      for (const wake of this.#waiting.splice(0)) wake();
    });
    child.on("exit", () => {
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  send(command: Command): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** The next report of a kind; taken away, so that asking again waits for another. */
  async next<T extends Report["type"]>(type: T): Promise<Report & { type: T }> {
    for (;;) {
      const at = this.reports.findIndex((report) => report.type === type);
      if (at >= 0) return this.reports.splice(at, 1)[0] as Report & { type: T };
      if (this.child.exitCode !== null) throw new Error(`the egress ended: ${JSON.stringify(this.reports)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  records(): AuditRecord[] {
    return [...readAudit(this.audit)];
  }

  /** All that the audit has, as it stands in its files. */
  audited(): string {
    return this.auditFiles()
      .map((file) => fs.readFileSync(file, "utf8"))
      .join("");
  }

  auditFiles(): string[] {
    return auditParts.map((part) => auditFile(this.audit, part));
  }

  async stop(): Promise<void> {
    this.child.stdin?.end();
    if (this.child.exitCode === null) await once(this.child, "exit");
  }
}

/** The first line; the rest is thrown away, not left to fill the pipe. */
async function firstLine(stream: Readable): Promise<string> {
  const lines = readline.createInterface({ input: stream });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.on("line", resolve).on("close", () => reject(new Error("ended without a word")));
  return await promise;
}

async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

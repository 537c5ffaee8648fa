import { execFile } from "node:child_process";
import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Entry } from "../../lib/host/api.ts";
import { machine, users, type Ran } from "../host/machine.ts";
import { shell } from "../host/programs.ts";
import { agentSpec } from "../host/specs.ts";
import { connects, reads, speaks } from "./attack/programs.ts";

const id = "dev/assistant";
const words = "a key of the host";

type Host = ReturnType<typeof machine>;

/** A folder with a file in it, of whoever runs the daemon. */
function kept(host: Host): { readonly folder: string; readonly file: string } {
  const folder = join(host.home, ".ssh");
  mkdirSync(folder, { mode: 0o700 });
  const file = join(folder, "id_ed25519");
  writeFileSync(file, `${words}\n`, { mode: 0o600 });
  for (const path of [folder, file]) chownSync(path, host.uid, host.uid);
  return { folder, file };
}

/** `nacre`, as whoever runs the daemon. */
function nacre(host: Host, ...args: string[]): Promise<Ran> {
  const main = join(host.root, "lib/cli/main.ts");
  const as = process.getuid?.() === 0 ? { uid: host.uid, gid: host.uid } : {};
  const env = { PATH: process.env["PATH"], HOME: host.home, NACRE_STATE_DIR: host.state };
  return new Promise((resolve) =>
    execFile(host.node, [main, ...args], { env, cwd: host.home, ...as }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  );
}

describe.each(users)("as %s", (user) => {
  test("links in the workspace lead no command of Nacre's out of it, nor its removal", async () => {
    const host = machine(user);
    const { folder, file } = kept(host);
    const agent = { kind: "command", command: shell("echo it runs; exec sleep infinity"), env: {} } as const;
    await host.create(agentSpec({ agent }));
    const before = [folder, file].map((path) => lstatSync(path));

    // Whatever name someone outside might look for in a workspace, also as the workspace's own parent is laid out.
    const names =
      "logs agent.log egress.log audit.jsonl sandbox.json workspace.json overrides.json token trust .nacre .git";
    const plant = `ln -s ${file} link; for name in ${names}; do ln -s ${folder} $name; done; mkdir -p deep; ln -s ${folder} deep/link
      mkdir -p .openclaw/agents .config; ln -s ${file} .openclaw/openclaw.json; ln -s ${file} .openclaw/agents/main; ls -A`;
    expect((await host.run(id, shell(plant))).stdout).toContain("sandbox.json");

    const said: string[] = [];
    for (const args of [
      ["status", "--verbose"],
      ["status", "--json"],
      ["logs", "assistant"],
      ["denials", "assistant"],
      ["exec", "assistant", "--", "cat", "link", "logs/id_ed25519"],
      ["ask", "assistant", "read the file link"],
    ]) {
      const { code, stdout, stderr } = await nacre(host, ...args);
      said.push(stdout, stderr);
      expect([args[0], code]).toEqual([args[0], args[0] === "exec" || args[0] === "ask" ? 1 : 0]);
    }
    expect(said.join("")).toContain("it runs");
    const resources = { pids: 100 };
    expect(await host.call("sandbox.update", { spec: agentSpec({ agent, resources }) })).toMatchObject({
      running: true,
      generation: 2,
      problems: [],
    });
    await host.call("sandbox.delete", { id });
    await host.call("workspace.delete", { id });
    said.push(readFileSync(join(host.state, "daemon.log"), "utf8"));

    expect(said.join("")).not.toContain(words);
    expect(readFileSync(file, "utf8")).toBe(`${words}\n`);
    const kind = ({ mode, uid, mtimeMs, ctimeMs }: ReturnType<typeof lstatSync> & object) => [
      mode,
      uid,
      mtimeMs,
      ctimeMs,
    ];
    expect([folder, file].map((path) => kind(lstatSync(path)))).toEqual(before.map(kind));
  });

  test("a folder that is given to run shows no socket of the host that answers, and no link that leads out", async () => {
    const host = machine(user);
    const { file } = kept(host);
    const folder = mkdtempSync(join(tmpdir(), "nacre-attack-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const socket = join(folder, "service.sock");
    let connections = 0;
    const server = createServer((connection) => {
      connections += 1;
      connection.on("error", () => undefined);
      connection.resume().end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    onTestFinished(() => new Promise((resolve) => void server.close(() => resolve())));
    writeFileSync(join(folder, "own"), "the folder's own\n");
    symlinkSync(file, join(folder, "link"));
    for (const path of [folder, socket, join(folder, "own")]) chownSync(path, host.uid, host.uid);

    const { agent: _, workspace: __, restart: ___, ports: ____, ...spec } = agentSpec();
    const entered = Promise.withResolvers<Entry>();
    const session = host.call("run.open", { spec, folder }, ({ entry }) => {
      if (entry !== undefined) entered.resolve(entry);
    });
    session.catch((error: unknown) => entered.reject(error as Error));
    const entry = await entered.promise;
    expect((await host.runAt(entry, ["cat", "own"])).stdout).toBe("the folder's own\n");

    const outcomes: string[] = [];
    const attempts = [...connects({ path: socket }), speaks("--unix-socket", socket)];
    for (const { argv } of attempts) outcomes.push((await host.runAt(entry, argv)).stdout);
    for (const { argv } of reads(join(folder, "link")).filter(({ program }) => program !== "git"))
      outcomes.push((await host.runAt(entry, argv)).stdout);
    expect(outcomes.map((text) => text.trim())).toEqual(outcomes.map(() => ""));
    expect(connections).toBe(0);
    // The same words outside are answered.
    for (const { argv } of attempts) {
      const [program = "", ...rest] = argv;
      const path = program === "node" ? process.execPath : program;
      const said = await new Promise((resolve) =>
        execFile(path, rest, (_error, stdout) => resolve(stdout.trim())),
      );
      expect(said).toBe("connected");
    }
    expect(connections).toBe(attempts.length);
  });
});

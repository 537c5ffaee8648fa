import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, startEgress } from "./launcher.ts";
import { everyone, place, type Place } from "./place.ts";
import { egressSpec, node, sandboxSpec } from "./spec.ts";

/** Serves what was captured: says where the agent dialled, and whose the connection is. */
const serve = `
import dgram from "node:dgram";
import net from "node:net";
const owner = (c) => new Promise((resolve, reject) => {
  const at = (address, port) => (address.includes(":") ? \`[\${address}]:\${port}\` : \`\${address}:\${port}\`);
  const socket = net.connect("/run/egress.sock", () => socket.write(JSON.stringify({ op: "owner", proto: "tcp",
    local: at(c.localAddress, c.localPort), remote: at(c.remoteAddress, c.remotePort) }) + "\\n"));
  socket.once("data", (d) => { resolve(JSON.parse(d)); socket.destroy(); });
  socket.once("error", reject);
});
const open = (fd) => net.createServer(async (c) => {
  c.on("error", () => {});
  const body = JSON.stringify({ dialled: c.localAddress + " " + c.localPort, owner: await owner(c) });
  c.end("HTTP/1.1 200 OK\\r\\nContent-Length: " + body.length + "\\r\\nConnection: close\\r\\n\\r\\n" + body);
}).listen({ fd });
open(10);
open(11);
for (const [fd, type] of [[12, "udp4"], [13, "udp6"]]) {
  const dns = dgram.createSocket(type);
  dns.on("message", (question, from) => dns.send("answer to " + question, from.port, from.address));
  dns.bind({ fd });
}
setTimeout(() => console.log("ready"), 50);
process.stdin.resume().on("end", () => process.exit(5));
`;

describe.each(everyone)("capture, launched by %s", (as) => {
  let here: Place;
  beforeAll(() => {
    here = place(as);
  });
  afterAll(() => here.dispose());

  test("every TCP port and DNS of every address comes to the egress, everything else goes nowhere", async () => {
    const spec = sandboxSpec(here, "captured", ["sleep", "infinity"]);
    await using sandbox = await launch(here, spec);
    const egress = await startEgress(here, egressSpec(here, "egress", serve, spec.directory));
    const answer = async (argv: string[]) => JSON.parse((await sandbox.exec(argv)).out);
    const curl = (url: string) => answer(["curl", "-sgm", "5", "--noproxy", "*", url]);
    const digest = createHash("sha256").update(readFileSync("/usr/bin/curl")).digest("hex");
    for (const [url, dialled] of [
      ["http://1.2.3.4/", "1.2.3.4 80"],
      ["http://140.82.112.3:22/", "140.82.112.3 22"],
      ["http://169.254.169.254/", "169.254.169.254 80"],
      ["http://10.0.0.1:65535/", "10.0.0.1 65535"],
      ["http://25.255.0.1:81/", "25.255.0.1 81"],
      ["http://[2606:4700::1111]:443/", "2606:4700::1111 443"],
    ] as const)
      expect(await curl(url)).toEqual({
        dialled,
        owner: { ok: true, pid: expect.any(Number), path: "/usr/bin/curl", sha256: digest },
      });
    // Another program, another owner; a v4 address through a v6 socket.
    const fetched = await answer([
      node,
      "-e",
      'fetch("http://1.2.3.4").then((r) => r.text()).then(console.log)',
    ]);
    expect(fetched.owner.path).toBe(node);
    const mapped = `import socket; s = socket.socket(socket.AF_INET6); s.connect(("::ffff:9.9.9.9", 7)); s.recv(1)
print(s.recv(4000).decode().split("\\r\\n\\r\\n")[1])`;
    const through = await answer(["python3", "-c", mapped]);
    expect(through.dialled.endsWith("9.9.9.9 7")).toBe(true);
    expect(through.owner.path).toMatch(/^\/usr\/bin\/python3/);
    // Who opened a socket owns it, not who was given a copy.
    const lent = `import socket, subprocess; s = socket.socket(); s.set_inheritable(True)
p = subprocess.Popen(["sleep", "60"], close_fds=False); s.connect(("1.2.3.4", 80))
print(s.recv(4000).decode().split("\\r\\n\\r\\n")[1]); p.kill()`;
    expect((await answer(["python3", "-c", lent])).owner.path).toMatch(/^\/usr\/bin\/python3/);
    // A program that was changed is another one, though its size and its time say the same.
    const change = `import os; s = os.stat("c"); f = open("c", "r+b"); d = f.read(); f.seek(d.index(b"Usage: curl")); f.write(b"USAGE"); f.close()
os.utime("c", ns=(s.st_atime_ns, s.st_mtime_ns))`;
    const own = () => answer(["bash", "-c", "./c -sm 5 --noproxy '*' http://1.2.3.4/"]);
    await sandbox.exec(["cp", "/usr/bin/curl", "c"]);
    expect((await own()).owner).toMatchObject({ path: "/sandbox/c", sha256: digest });
    expect((await sandbox.exec(["python3", "-c", change])).error).toBe("");
    expect((await own()).owner.sha256).toMatch(new RegExp(`^(?!${digest})[0-9a-f]{64}$`));
    // DNS, whichever server is asked.
    const ask = (server: string): string => `import socket
s = socket.socket(socket.AF_INET6 if ":" in "${server}" else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3); s.connect(("${server}", 53)); s.send(b"q"); print(s.recv(99).decode())`;
    for (const server of ["25.255.0.1", "8.8.8.8", "127.0.0.1", "::1"])
      expect({ server, ...(await sandbox.exec(["python3", "-c", ask(server)])) }).toMatchObject({
        server,
        out: "answer to q\n",
        error: "",
      });
    // Other datagrams are refused at once; loopback is the agent's own.
    const udp = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for family, to in (socket.AF_INET, ("8.8.8.8", 443)), (socket.AF_INET6, ("2001:4860:4860::8888", 53)):
  try: socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", to); print("sent")
  except PermissionError: print("refused")
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("127.0.0.1", 0)); s.sendto(b"own", a.getsockname()); print(a.recv(9).decode())
t = socket.create_server(("127.0.0.1", 8080)); c = socket.create_connection(("127.0.0.1", 8080)); t.accept()[0].sendall(b"loopback"); print(c.recv(9).decode())`;
    expect((await sandbox.exec(["python3", "-c", udp])).out).toBe("refused\nrefused\nown\nloopback\n");
    egress.child.stdin?.end();
    expect((await egress.ended).code).toBe(5);
  });

  test("without an egress no byte comes; the next one serves what waits", async () => {
    const spec = sandboxSpec(here, "waits", ["sleep", "infinity"]);
    await using sandbox = await launch(here, spec);
    const first = await startEgress(here, egressSpec(here, "egress1", serve, spec.directory));
    first.child.kill("SIGKILL");
    await first.ended;
    expect(await sandbox.exec(["curl", "-sm", "1", "http://1.2.3.4/"])).toMatchObject({ code: 28, out: "" });
    const waiting = sandbox.exec(["curl", "-sm", "10", "http://1.2.3.4/"]);
    const second = await startEgress(here, egressSpec(here, "egress2", serve, spec.directory));
    expect((await waiting).out).toContain("1.2.3.4 80");
    second.child.stdin?.end();
    await second.ended;
  });

  test("an owner that cannot be told is an error, never a guess", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "owner", ["sleep", "infinity"]));
    const question = { op: "owner", proto: "tcp", local: "1.2.3.4:443", remote: "1.2.3.4:5" };
    expect((await sandbox.ask(question))[0]).toMatchObject({ ok: false, error: { code: "owner_unknown" } });
    expect((await sandbox.ask({ ...question, proto: "udp" }))[0].ok).toBe(false);
    expect((await sandbox.ask({ ...question, local: "x" }))[0].ok).toBe(false);
  });

  test("kind none has loopback and nothing behind it", async () => {
    const network = { kind: "none" } as const;
    await using sandbox = await launch(here, { ...sandboxSpec(here, "none", null), network });
    expect(sandbox.launched.posture.network).toEqual({ interfaces: ["lo"], capture: false, rules: 0 });
    expect((await sandbox.exec(["curl", "-sm", "2", "http://1.2.3.4/"])).code).toBe(7);
    expect((await sandbox.ask({ op: "attach" }))[0].ok).toBe(false);
  });
});

describe.each(everyone)("an egress, launched by %s", (as) => {
  let here: Place;
  beforeAll(() => {
    here = place(as);
  });
  afterAll(() => here.dispose());

  const look = `
import { execSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
const attempt = (f) => { try { return String(f()); } catch (e) { return e.code ?? e.message; } };
console.log(JSON.stringify({
  status: fs.readFileSync("/proc/self/status", "utf8"),
  interfaces: Object.keys(os.networkInterfaces()).length > 0 || fs.readFileSync("/proc/net/dev", "utf8").split("\\n").length > 3,
  net: fs.readlinkSync("/proc/self/ns/net"),
  namespaces: fs.readdirSync("/proc/self/ns").map((name) => fs.readlinkSync("/proc/self/ns/" + name)),
  shell: spawnSync("/bin/sh").error?.code,
  usr: attempt(() => fs.readdirSync("/usr/bin")),
  home: attempt(() => fs.readdirSync("/root")),
  write: attempt(() => fs.writeFileSync("/opt/x", "")),
  own: attempt(() => { fs.writeFileSync("/state/x", "kept"); return fs.readFileSync("/state/x"); }),
  fds: fs.readdirSync("/proc/self/fd"),
  env: process.env,
}));
process.stdin.resume();
`;

  test("it has the host's network, one folder, and no way to start a program", async () => {
    const spec = sandboxSpec(here, "beside", null);
    await using sandbox = await launch(here, spec);
    const child = await startEgressSaying(here, spec.directory, look);
    const said = JSON.parse(child.out);
    expect(said).toMatchObject({
      interfaces: true,
      net: expect.stringMatching(/net:/),
      shell: expect.stringMatching(/EPERM|EACCES|ENOENT/),
      usr: "ENOENT",
      home: "ENOENT",
      write: expect.stringMatching(/EROFS|EACCES/),
      own: "kept",
      env: { PATH: "/nonexistent" },
    });
    expect(said.status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(said.status).toMatch(/^Seccomp:\t2$/m);
    expect(said.status).toMatch(/^CapBnd:\t0+$/m);
    expect(said.net).not.toBe(`net:[${String(sandbox.launched.posture.namespaces.net)}]`);
    // The network is all that it shares with the host, and the clock, which nothing separates.
    const host = readdirSync("/proc/self/ns").map((name) => readlinkSync(`/proc/self/ns/${name}`));
    const shared = host.filter((one) => said.namespaces.includes(one)).map((one) => one.split(":")[0]);
    expect([...new Set(shared)].sort()).toEqual(["net", "time"]);
    // Its listeners are at their numbers.
    expect(said.fds).toEqual(expect.arrayContaining(["10", "11", "12", "13"]));
  });

  test("it ends with its launcher, and a spec that cannot be is an error on stderr", async () => {
    const spec = sandboxSpec(here, "ends", null);
    await using sandbox = await launch(here, spec);
    // Not by its input, which ends at the same time.
    const deaf = serve.replace(/^process\.stdin.*$/m, "");
    const { child, ended } = await startEgress(here, egressSpec(here, "e", deaf, spec.directory));
    const listens = async (): Promise<string> =>
      (await sandbox.exec(["curl", "-sm", "1", "http://1.2.3.4/"])).out;
    expect(await listens()).toContain("1.2.3.4 80");
    child.kill("SIGKILL");
    await ended;
    expect(await listens()).toBe("");
    const gone = egressSpec(here, "gone", serve, "/nonexistent");
    await expect(startEgress(here, gone)).rejects.toThrow(/init_silent|mount_failed/);
  });
});

async function startEgressSaying(here: Place, directory: string, script: string): Promise<{ out: string }> {
  const { child, ended } = await startEgress(here, egressSpec(here, "looks", script, directory));
  child.stdin?.end();
  child.kill("SIGTERM");
  setTimeout(() => child.kill("SIGKILL"), 500);
  return await ended;
}

import fs from "node:fs";
import { readDenials } from "../../lib/egress/denials.ts";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientHello } from "./hello.ts";
import { type RunningEgress, World } from "./world/world.ts";

const ws = fileURLToPath(import.meta.resolve("ws"));

let world: World;
let egress: RunningEgress | undefined;
beforeAll(async () => {
  world = await World.make();
});
afterEach(async () => {
  await egress?.stop();
  egress = undefined;
});
afterAll(() => world.stop());

const open = (host: string, ...ports: number[]): object => ({ endpoints: [{ host, ports }] });
const base = {
  web: open("allowed.example.com", 443, 8443, 80, 7000, 7001),
  more: open("six.example.com", 443),
  half: open("halfdead.example.com", 443),
  hosts: open("hosts-file.example.com", 443),
  raw: { endpoints: [{ host: "other.example.com", port: 443, protocol: "tcp" }] },
  gone: open("nowhere.example.com", 443),
  guarded: {
    endpoints: ["rebound", "metadata", "private", "own", "pool", "nat64"].map((name) => ({
      host: `${name}.example.com`,
      port: 443,
    })),
  },
} as never;

/** curl's exit codes for a reset before, while and after it sends: it may come at any of these moments. */
const isReset = (code: unknown): boolean => code === 7 || code === 35 || code === 56;

interface Refusal {
  readonly kind: string;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly layer?: string | undefined;
  readonly reason?: string | undefined;
}
/** What the audit has of refusals, once it has as many as there should be. */
async function refusals(count: number): Promise<Refusal[]> {
  return await expect
    .poll(() => {
      const found = (egress?.records() ?? []).filter(({ verdict }) => verdict === "deny");
      return found.map(({ kind, host, port, layer, reason }) => ({ kind, host, port, layer, reason }));
    })
    .toHaveLength(count)
    .then(() => (egress?.records() ?? []).filter(({ verdict }) => verdict === "deny"));
}

describe("an allowed host answers, with no proxy variable set,", () => {
  test("curl, over TLS, on two ports, in the clear, and over IPv6 alone", async () => {
    egress = await world.egress({ base });
    const got = await world.run(
      "curl -sSk https://allowed.example.com/ https://allowed.example.com:8443/ http://allowed.example.com/ https://six.example.com/",
    );
    expect(got.error).toBe("");
    expect(got.out.split("\n")).toEqual([
      expect.stringMatching(/^allowed.example.com at .*:34:443$|34:443$/),
      expect.stringMatching(/^allowed.example.com at .*34:8443$/),
      expect.stringMatching(/^plain at .*34:80$/),
      "six.example.com at 2606:2800:220:1::35:443",
      "",
    ]);
  });

  test("Node's fetch and Python's urllib", async () => {
    egress = await world.egress({ base });
    const ca = { NODE_EXTRA_CA_CERTS: `${world.folder}/ca.crt`, SSL_CERT_FILE: `${world.folder}/ca.crt` };
    const node = `${process.execPath} -e 'fetch("https://allowed.example.com/").then(r => r.text()).then(t => process.stdout.write(t))'`;
    const python = `python3 -c 'import urllib.request as u; print(u.urlopen("https://allowed.example.com/").read().decode(), end="")'`;
    for (const program of [node, python]) {
      expect(await world.run(program, ca)).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^allowed.example.com at .*34:443\n$/) as string,
      });
    }
  });

  test("ws, and Node's own WebSocket", async () => {
    egress = await world.egress({ base });
    const ca = { NODE_EXTRA_CA_CERTS: `${world.folder}/ca.crt` };
    const talk = `const s = new WebSocket("wss://allowed.example.com/"); s.onopen = () => s.send("hi");
      s.onmessage = (m) => { console.log(m.data); s.close(); }`;
    for (const load of [`globalThis.WebSocket = require("${ws}").WebSocket;`, ""]) {
      expect(await world.run(`${process.execPath} -e '${load} ${talk}'`, ca)).toMatchObject({
        code: 0,
        out: "echo hi\n",
      });
    }
  });

  test("git, to the last object", async () => {
    egress = await world.egress({ base });
    const make = `cd ${world.folder} && git -c init.defaultBranch=main init -q work && cd work && echo content > file && git add file &&
      git -c user.name=n -c user.email=e@example.com commit -qm first && git clone -q --bare . ../repository && cd ../repository && git update-server-info`;
    expect((await world.run(make)).code).toBe(0);
    const clone = `rm -rf ${world.folder}/clone && git clone -q https://allowed.example.com/repository ${world.folder}/clone && cat ${world.folder}/clone/file`;
    expect(await world.run(clone, { GIT_SSL_CAINFO: `${world.folder}/ca.crt` })).toMatchObject({
      code: 0,
      out: "content\n",
    });
  });

  test("a server that speaks first, and a client that finishes first", async () => {
    egress = await world.egress({ base });
    const script = `exec 3<>/dev/tcp/allowed.example.com/7000; read -r line <&3; echo "$line"`;
    expect((await world.run(script)).out).toBe("hello\n");
    const half = `python3 -c '
import socket
s = socket.create_connection(("allowed.example.com", 7000)); s.sendall(b"all"); s.shutdown(1)
print(b"".join(iter(lambda: s.recv(100), b"")).decode())'`;
    expect((await world.run(half)).out).toBe("hello\ngot all\n");
  });

  test("fifty megabytes, whole", async () => {
    egress = await world.egress({ base });
    const got = await world.run("curl -sSk https://allowed.example.com/big | md5sum");
    const local = await world.run("head -c 52428800 /dev/zero | tr '\\0' a | md5sum");
    expect(got.out).toBe(local.out);
  });

  test("where its first address is dead", async () => {
    egress = await world.egress({ base });
    const started = performance.now();
    expect((await world.run("curl -sSk https://halfdead.example.com/")).out).toBe(
      "halfdead.example.com at ::ffff:93.184.216.34:443\n",
    );
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("by the host's own hosts file, and by protocol tcp whatever name its TLS has", async () => {
    egress = await world.egress({ base });
    expect((await world.run("curl -sSk https://hosts-file.example.com/")).out).toContain(
      "hosts-file.example.com at ",
    );
    const fronted = "curl -sSk --connect-to ::other.example.com: https://fronted.example.com/";
    expect((await world.run(fronted)).out).toBe("fronted.example.com at ::ffff:93.184.216.35:443\n");
  });
});

describe("what is refused sends no packet outside and gets no byte:", () => {
  test("a name that no rule has", async () => {
    egress = await world.egress({ base });
    const packets = await world.packets(async () => {
      expect((await world.run("getent hosts evil.example")).code).toBe(2);
      expect((await world.run("curl -sS https://evil.example/")).code).toBe(6);
    });
    expect(packets).toEqual([]);
    expect(await refusals(1)).toMatchObject([
      { kind: "dns", host: "evil.example", layer: "network", reason: "no rule names evil.example" },
    ]);
  });

  test("an address, in IPv4 and IPv6, and the clouds' metadata service", async () => {
    egress = await world.egress({ base });
    const packets = await world.packets(async () => {
      for (const address of ["93.184.216.34", "[2606:2800:220:1::34]", "169.254.169.254", "25.255.77.77"]) {
        const got = await world.run(`curl -sSk --max-time 5 https://${address}/`);
        expect(got).toMatchObject({ code: expect.toSatisfy(isReset) as number, out: "" });
      }
    });
    expect(packets).toEqual([]);
    expect((await refusals(4)).map(({ host, layer }) => [host, layer])).toEqual([
      ["93.184.216.34", "network"],
      ["2606:2800:220:1::34", "network"],
      ["169.254.169.254", "network"],
      ["25.255.77.77", "network"],
    ]);
  });

  test("another port of an allowed host", async () => {
    egress = await world.egress({ base });
    const packets = await world.packets(async () => {
      expect((await world.run("curl -sS http://allowed.example.com:81/")).code).toSatisfy(isReset);
    });
    expect(packets).toEqual([]);
    expect(await refusals(1)).toMatchObject([
      {
        host: "allowed.example.com",
        port: 81,
        reason: "allowed.example.com is allowed on port 80, 443, 7000, 7001, 8443, not 81",
      },
    ]);
  });

  test("TLS for another name, for none, with ECH, and what is no TLS, on 443", async () => {
    egress = await world.egress({ base });
    const send = (bytes: Buffer): string =>
      `python3 -c '
import socket, sys
s = socket.create_connection(("allowed.example.com", 443)); s.sendall(bytes.fromhex("${bytes.toString("hex")}"))
try: print(s.recv(1))
except ConnectionResetError: print("reset")'`;
    const packets = await world.packets(async () => {
      const front = await world.run("curl -sSk --connect-to ::allowed.example.com: https://evil.example/");
      expect(front).toMatchObject({ code: expect.toSatisfy(isReset) as number, out: "" });
      const nameless = "openssl s_client -noservername -connect allowed.example.com:443 </dev/null";
      expect((await world.run(nameless)).code).not.toBe(0);
      const hidden = clientHello({
        serverNames: ["allowed.example.com"],
        extensions: [[0xfe0d, Buffer.alloc(40)]],
      });
      expect((await world.run(send(hidden))).out).toBe("reset\n");
      expect((await world.run(send(Buffer.from("GET / HTTP/1.1\r\n\r\n")))).out).toBe("reset\n");
    });
    expect(packets).toEqual([]);
    expect((await refusals(4)).map(({ layer, reason }) => [layer, reason])).toEqual([
      ["tls", "the ClientHello has the name evil.example, not allowed.example.com"],
      // One and the same thing to a person who reads denials, so repeats of it are counted; these differ by reason.
      ["tls", "the ClientHello has no server name, not allowed.example.com"],
      ["tls", "the ClientHello hides its name (ECH)"],
      ["tls", "the connection does not start with TLS"],
    ]);
  });

  test("DNS to any server, over UDP and TCP", async () => {
    egress = await world.egress({ base });
    const query = "000001000001000000000000046576696c076578616d706c650000010001";
    const ask = (kind: string, framing: string): string => `python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.${kind}); s.settimeout(3); s.connect(("8.8.8.8", 53))
s.send(bytes.fromhex("${framing}${query}")); print(s.recv(500).hex())'`;
    const packets = await world.packets(async () => {
      expect((await world.run(ask("SOCK_DGRAM", ""))).out).toMatch(/^00008583/);
      expect((await world.run(ask("SOCK_STREAM", "001e"))).out).toMatch(/^[0-9a-f]{4}00008583/);
    });
    expect(packets).toEqual([]);
  });

  test("UDP to anything but DNS", async () => {
    egress = await world.egress({ base });
    const packets = await world.packets(() =>
      world.run(
        `python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("93.184.216.34", 443))'`,
      ),
    );
    expect(packets).toEqual([]);
  });
});

describe("a connection that is sniffed", () => {
  test("is cut where its TLS is for another name, before a byte of it leaves", async () => {
    egress = await world.egress({ base });
    const got = await world.run(
      "curl -sSk --connect-to ::allowed.example.com:8443 https://evil.example:8443/",
    );
    expect(got).toMatchObject({ code: expect.toSatisfy(isReset) as number, out: "" });
    expect(await refusals(1)).toMatchObject([{ layer: "tls", port: 8443 }]);
    await expect.poll(() => egress?.records().find(({ kind }) => kind === "close")?.sent).toBe(0);
  });
});

describe("the address guard", () => {
  test("refuses a name that answers with what is not public, though a rule has it", async () => {
    egress = await world.egress({ base });
    const packets = await world.packets(async () => {
      for (const name of ["rebound", "metadata", "private", "own", "pool", "nat64"]) {
        expect((await world.run(`curl -sSk https://${name}.example.com/`)).code).toSatisfy(isReset);
      }
    });
    // The egress' own lookups, and nothing else.
    expect(packets.filter((line) => !line.includes(" 93.184.216.53 53"))).toEqual([]);
    expect((await refusals(6)).map(({ host, layer, reason }) => [layer, host, reason])).toEqual([
      ["address", "rebound.example.com", "rebound.example.com answers with 127.0.0.1, a loopback address"],
      [
        "address",
        "metadata.example.com",
        "metadata.example.com answers with 169.254.169.254, a metadata address",
      ],
      ["address", "private.example.com", "private.example.com answers with 10.77.0.1, a private address"],
      ["address", "own.example.com", "own.example.com answers with 93.184.216.1, an address of this host"],
      ["address", "pool.example.com", "pool.example.com answers with 25.255.0.9, a synthetic address"],
      ["address", "nat64.example.com", "nat64.example.com answers with 64:ff9b::a4d:1, a private address"],
    ]);
  });

  test("lets the operator's grant through, also one given while it runs", async () => {
    egress = await world.egress({ base });
    expect((await world.run("curl -sSk https://private.example.com/")).code).toSatisfy(isReset);
    egress.send({
      type: "grants",
      grants: [{ host: "private.example.com", cidr: "10.77.0.1/32", port: 443 }],
    });
    await expect
      .poll(async () => (await world.run("curl -sSk https://private.example.com/")).out)
      .toBe("private.example.com at ::ffff:10.77.0.1:443\n");
  });
});

describe("what nobody answers", () => {
  test("is reset, looked up under its own name only, and told as a failure", async () => {
    egress = await world.egress({ base });
    const packets = await world.packets(async () => {
      expect((await world.run("curl -sSk https://nowhere.example.com/")).code).toSatisfy(isReset);
    });
    const asked = packets.flatMap((line) => /^udp .* 53 ([^>]+)$/.exec(line)?.[1] ?? []);
    expect(new Set(asked)).toEqual(new Set(["nowhere.example.com"]));
    const failed = egress.records().find(({ verdict }) => verdict === "failed");
    expect(failed).toMatchObject({
      host: "nowhere.example.com",
      reason: expect.stringContaining("ENOTFOUND") as string,
    });
    // A person finds it beside what was refused.
    expect(readDenials(egress.audit)).toMatchObject([
      { host: "nowhere.example.com", layer: "upstream", id: failed?.id, fix: { text: expect.any(String) } },
    ]);
  });

  test("a reset of the server is a reset of the agent", async () => {
    egress = await world.egress({ base });
    const got = await world.run(`exec 3<>/dev/tcp/allowed.example.com/7001; cat <&3`);
    expect(got.error).toMatch(/reset by peer/i);
  });
});

test("the audit has each decision, chained, and only its owner can read it", async () => {
  egress = await world.egress({ base });
  await world.run("curl -sSk https://allowed.example.com/; curl -sS https://evil.example/");
  await refusals(1);
  await expect.poll(() => egress?.records().some(({ kind }) => kind === "close")).toBe(true);
  expect(egress.records().map(({ kind, verdict, host }) => `${kind} ${verdict} ${host ?? ""}`)).toEqual([
    "policy changed ",
    "dns allow allowed.example.com",
    "connect allow allowed.example.com",
    "close closed allowed.example.com",
    "dns deny evil.example",
  ]);
  const { createHash } = await import("node:crypto");
  for (const file of egress.auditFiles()) {
    let prev = "0".repeat(64);
    for (const line of fs.readFileSync(file, "utf8").trimEnd().split("\n")) {
      expect((JSON.parse(line) as { prev: string }).prev).toBe(prev);
      prev = createHash("sha256").update(line).digest("hex");
    }
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  }
});

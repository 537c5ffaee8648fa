import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../../lib/host/ask.ts";
import type { Progress } from "../../lib/host/api.ts";
import type { HostSandbox } from "../../lib/synth/host-objects.ts";
import { machine, users } from "../host/machine.ts";
import { address } from "../host/outside-server.ts";
import { sandboxSpec } from "../host/specs.ts";

const seccomp = JSON.parse(
  readFileSync(new URL("../../policies/seccomp/agent.json", import.meta.url), "utf8"),
) as HostSandbox["seccomp"];
const id = "dev/assistant";
const openclaw = sandboxSpec({
  agent: { kind: "kit", kit: "openclaw", version: "2026.9.6" },
  seccomp,
  ports: [{ inside: 18789, outside: 0 }],
  inference: {
    route: { try: ["demo"], timeoutSeconds: 60 },
    providers: { demo: { kind: "demo", model: "demo", trusted: true } },
  },
});

/** A server outside that says a word over HTTP; `paths` are what it was asked for. */
async function website(word: string) {
  const paths: (string | undefined)[] = [];
  const server = createServer(({ url }, response) => {
    paths.push(url);
    response.setHeader("connection", "close").end(`${word}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestFinished(() => new Promise((resolve) => void server.close(() => resolve())));
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://${address}:${port}`, paths };
}

/** OpenClaw's own session file, read where it is: inside. */
const toolResults = `
  const { DatabaseSync } = require("node:sqlite");
  const file = "/sandbox/.openclaw/agents/main/agent/openclaw-agent.sqlite";
  const rows = new DatabaseSync(file, { readOnly: true }).prepare("SELECT event_json FROM transcript_events").all();
  const messages = rows.map(({ event_json }) => JSON.parse(event_json).message);
  console.log(JSON.stringify(messages.filter((message) => message?.role === "toolResult")));
`;

test.each(users)(
  "as %s: installed and run behind the walls, it answers with what it read",
  async (user) => {
    const host = machine(user);
    const told: Progress[] = [];
    const started = performance.now();
    const mark = (what: string): void =>
      console.log(`${user}: ${what} at ${Math.round((performance.now() - started) / 1000)} s`);
    await host.call("kit.ensure", { kit: "openclaw", version: "2026.9.6" }, (progress) =>
      told.push(progress),
    );
    expect(told[0]?.message).toMatch(
      /installing from \S+:443, npm's configured registry, in a sandbox granted \S+ port 443/,
    );
    expect(told.at(-1)).toMatchObject({ fraction: 1 });

    mark("installed");
    const [allowed, denied] = [await website("a word from the allowed host"), await website("never said")];
    host.operator(`grants:\n  - { host: ${address}, cidr: ${address}/32, port: ${allowed.port} }\n`);
    const spec = { ...openclaw, network: { web: { endpoints: [{ host: address, port: allowed.port }] } } };
    const reading = await host.create(spec);
    mark("ready");
    expect(reading).toMatchObject({ running: true, problems: [] });
    const connection = await host.call("agent.connection", { id });
    const value = randomBytes(8).toString("hex");
    await host.run(id, ["/bin/sh", "-c", 'printf %s "$1" > note.txt', "sh", value]);
    const answer = await ask(
      connection,
      "Read the file note.txt in your workspace and tell me what it says.",
    );
    expect(answer.text).toContain(value);
    mark("answered");
    const session = await host.run(id, ["/opt/nacre/node/bin/node", "-e", toolResults]);
    expect(JSON.parse(session.stdout)).toMatchObject([
      { toolName: "read", content: [{ type: "text", text: value }] },
    ]);

    const ran = await ask(
      connection,
      "run: id -u; command -v node; node --version; touch /opt/nacre/kit/x; curl -sS -m 5 https://example.com",
    );
    // What its shell says on the error output comes in between.
    for (const line of ["1000", "/opt/nacre/node/bin/node", process.version])
      expect(ran.text.split("\n").map((each) => each.trim())).toContain(line);
    expect(ran.text).toMatch(/Read-only file system|Permission denied/);
    expect(ran.text).toContain("Could not resolve host");

    const reached = await ask(
      connection,
      `run: curl -sS -m 20 ${allowed.url}/from-exec; curl -sS -m 20 ${denied.url}/from-exec`,
    );
    expect(reached.text).toContain("a word from the allowed host");
    expect(reached.text).toMatch(/curl: \((7|35|56)\)/);
    expect([allowed.paths, denied.paths]).toEqual([["/from-exec"], []]);
    expect(await host.call("denials", { id })).toContainEqual(
      expect.objectContaining({
        host: address,
        port: denied.port,
        binary: "/usr/bin/curl",
        layer: "network",
      }),
    );

    await host.call("sandbox.delete", { id });
    await expect(ask(connection, "hi", { reconnectMs: 0 })).rejects.toMatchObject({
      code: "agent_unreachable",
    });
  },
  1_800_000,
);

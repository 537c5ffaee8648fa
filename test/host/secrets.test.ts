import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { NacreError } from "../../lib/error.ts";
import { eventually, machine, users } from "./machine.ts";
import { modelServer } from "./model-server.ts";
import { encodings, everything, found } from "./places.ts";
import { shell } from "./programs.ts";
import { agentSpec, withCredential } from "./specs.ts";

const id = "dev/assistant";
const ask = shell(
  `curl -sS -H 'authorization: Bearer agents-own' -H 'content-type: application/json' ` +
    `-d '{"model":"m","messages":[{"role":"user","content":"hi"}]}' https://inference.local/v1/chat/completions`,
);

function shared(): string {
  const folder = mkdtempSync(join(tmpdir(), "nacre-secrets-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A sandbox' description whose key is a variable of whoever calls `nacre up`. */
async function withVariable(user: (typeof users)[number]) {
  const provider = await modelServer(shared());
  const host = machine(user, { SSL_CERT_FILE: provider.bundle });
  host.operator(
    `secrets:\n  key: { env: MY_KEY, for: ["${provider.destination}"], use: ["*/*"] }\ngrants:\n${provider.grants}`,
  );
  return { provider, host, spec: agentSpec({ inference: withCredential(provider.endpoint) }) };
}

describe.each(users)("as %s", (user) => {
  test("a secret reaches its provider and is found nowhere else; a planted control is found", async () => {
    const folder = shared();
    const provider = await modelServer(folder);
    const host = machine(user, { SSL_CERT_FILE: provider.bundle });
    const [secret, control] = [
      `sk/+${randomBytes(18).toString("hex")}`,
      `ct/+${randomBytes(18).toString("hex")}`,
    ];
    const source = join(host.home, "key");
    writeFileSync(source, `${secret}\n`, { mode: 0o600 });
    chownSync(source, host.uid, host.uid);
    host.operator(
      `secrets:\n  key: { file: ${source}, for: ["${provider.destination}"], use: [${id}] }\ngrants:\n${provider.grants}`,
    );
    const spec = agentSpec({ inference: withCredential(provider.endpoint) });
    expect(await host.create(spec)).toMatchObject({ running: true, problems: [] });
    expect(await host.call("inference.check", { id })).toEqual({ error: null });
    const answer = await host.run(id, ask);
    expect(answer.stdout).toContain("an answer");
    expect(provider.authorizations.at(-1)).toBe(`Bearer ${secret}`);

    await host.run(
      id,
      shell(`echo "${control}" > planted; echo "$(echo -n '${control}' | base64 -w0)" > planted64`),
    );
    await host.call("status", { id, probe: true });
    const places = await everything(host, id, source);
    for (const encoding of Object.keys(encodings)) {
      const form = encodings[encoding as keyof typeof encodings];
      expect({ encoding, where: found(places, form(secret)) }).toEqual({ encoding, where: [] });
    }
    expect(found(places, encodings.raw(control)).some((where) => where.endsWith("/data/planted"))).toBe(true);
    expect(found(places, encodings.base64(control)).some((where) => where.endsWith("/data/planted64"))).toBe(
      true,
    );
    // What was only looked through counts: processes, their arguments and environments among it.
    expect(
      places.map(({ where }) => where).filter((where) => where.startsWith("/proc/")).length,
    ).toBeGreaterThanOrEqual(8);
  });

  test("a new sandbox whose key has no value is refused; who asks one that cannot reach its model is told at once", async () => {
    const { host, spec } = await withVariable(user);
    await expect(host.create(spec)).rejects.toMatchObject({
      code: "secret_lacking",
      message: expect.stringContaining("MY_KEY was not set"),
    });
    expect(await host.call("sandbox.read", { id })).toBeNull();
    await host.call("sandbox.create", { spec, values: { key: "a-value" } });
    await host.call("block", { id, what: { all: true } });
    await expect(host.call("agent.connection", { id })).rejects.toMatchObject({
      code: "blocked",
      hint: "nacre unblock assistant --all",
    });
    await host.call("unblock", { id, what: { all: true } });
    await host.kill(await host.daemonPid());
    // The next daemon knows once it has adopted.
    await eventually(
      () => host.call("agent.connection", { id }).catch((error: unknown) => error),
      (error) => error instanceof NacreError && error.code === "secret_lacking",
    );
  });

  test("an env secret lives in memory: after a daemon's end its endpoints say so, until it is handed over again", async () => {
    const { provider, host, spec } = await withVariable(user);
    await host.call("workspace.create", { spec: { project: "test", environment: "dev", name: "assistant" } });
    const values = { key: "first-value" };
    expect(await host.call("sandbox.create", { spec, values })).toMatchObject({ problems: [] });
    expect((await host.run(id, ask)).stdout).toContain("an answer");
    expect(await host.call("sandbox.read", { id, values: { key: "second-value" } })).toMatchObject({
      problems: [expect.stringContaining("differs")],
    });

    await host.kill(await host.daemonPid());
    await eventually(
      () => host.call("status", { id }),
      ([status]) => status?.egress.state === "running",
    );
    const lacking = await host.run(id, ask);
    expect(lacking.stdout).toContain("credential_unavailable");
    expect(await host.call("sandbox.read", { id })).toMatchObject({ problems: [] });
    expect(await host.call("sandbox.read", { id, values })).toMatchObject({
      problems: [expect.stringContaining("MY_KEY was not set")],
    });
    expect(await host.call("sandbox.update", { spec, values: { key: "second-value" } })).toMatchObject({
      problems: [],
      generation: 1,
    });
    expect((await host.run(id, ask)).stdout).toContain("an answer");
    expect(provider.authorizations.at(-1)).toBe("Bearer second-value");
  });

  test("a changed source and a mapping that was taken away reach a running egress", async () => {
    const folder = shared();
    const provider = await modelServer(folder);
    const host = machine(user, { SSL_CERT_FILE: provider.bundle });
    const source = join(host.home, "key");
    const write = (value: string): void => {
      writeFileSync(source, value, { mode: 0o600 });
      chownSync(source, host.uid, host.uid);
    };
    const mapping = `  key: { file: ${source}, for: ["${provider.destination}"], use: ["*/*"] }\n`;
    write("old");
    host.operator(`secrets:\n${mapping}grants:\n${provider.grants}`);
    await host.create(agentSpec({ inference: withCredential(provider.endpoint) }));
    write("new");
    await eventually(
      () => host.run(id, ask),
      () => provider.authorizations.at(-1) === "Bearer new",
    );
    host.operator(`grants:\n${provider.grants}`);
    await eventually(
      () => host.run(id, ask),
      ({ stdout }) => stdout.includes("credential_unavailable"),
    );
  });
});

test("a command is run when an egress starts and at each up, and not in between", async () => {
  const folder = shared();
  const provider = await modelServer(folder);
  const host = machine(users[0], { SSL_CERT_FILE: provider.bundle });
  const runs = join(host.home, "runs");
  const command = `[/bin/sh, -c, "echo run >> ${runs}; echo from-command"]`;
  host.operator(
    `secrets:\n  key: { command: ${command}, for: ["${provider.destination}"], use: ["*/*"] }\ngrants:\n${provider.grants}`,
  );
  const spec = agentSpec({ inference: withCredential(provider.endpoint) });
  expect(await host.create(spec)).toMatchObject({ problems: [] });
  const count = () => readFileSync(runs, "utf8").split("\n").length - 1;
  expect(count()).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 7000));
  await host.call("sandbox.read", { id });
  expect(count()).toBe(1);
  await host.call("sandbox.update", { spec });
  expect(count()).toBe(2);
  expect((await host.run(id, ask)).stdout).toContain("an answer");
  expect(provider.authorizations.at(-1)).toBe("Bearer from-command");
});

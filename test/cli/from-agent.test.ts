import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { build, codeRoot } from "../../lib/host/build.ts";
import { version } from "../../lib/version.ts";
import { temporaryFolder } from "../host/folder.ts";

/** Moves the cursor, sets the title, hides and turns text, forges a line. */
const hostile = "a\u001b[2J\u001b]0;title\u0007\u009b1A\rforged\u202eexe\u200b\u2028b";
const acts = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202e\u2028]/;

const listening = async (answer: RequestListener, at: { path: string } | { port: number; host: string }) => {
  const server = createServer(answer);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server;
};

/** A daemon that passes on what it is given, and an agent's server: what is shown depends on nothing but the command. */
async function withAgent(agent: RequestListener, said = `first\n${hostile}\n`) {
  const folder = temporaryFolder();
  const state = join(folder, "state");
  mkdirSync(state, { mode: 0o700 });
  const log = join(folder, "agent.log");
  if (said !== "") writeFileSync(log, said);
  const served = await listening(agent, { port: 0, host: "127.0.0.1" });
  const results: Record<string, unknown> = {
    hello: { version, build: build(), root: codeRoot, pid: process.pid, machine: "m" },
    logs: { path: log },
    denials: [
      {
        id: "843e99dc",
        at: 0,
        host: hostile,
        port: 443,
        binary: hostile,
        rule: null,
        layer: "network",
        reason: hostile,
        fix: hostile,
        allow: null,
      },
    ],
    "agent.connection": { url: `http://127.0.0.1:${(served.address() as AddressInfo).port}`, token: "t" },
  };
  await listening(
    (request, response) =>
      response.end(`${JSON.stringify({ result: results[request.url?.slice(1) ?? ""] })}\n`),
    { path: join(state, "daemon.sock") },
  );
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    NACRE_STATE_DIR: state,
    NACRE_STACK: "dev",
    NO_COLOR: "1",
  };
  return (...args: string[]) =>
    new Promise<{ code: number; said: string }>((resolve) => {
      const program = [join(codeRoot, "cli/main.ts"), ...args];
      execFile(process.execPath, program, { cwd: folder, env }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), said: out + err }),
      );
    });
}

test("what an agent chose acts on no terminal: its log, its denials, its answer", async () => {
  const nacre = await withAgent((_request, response) => {
    response.setHeader("content-type", "text/event-stream");
    const said = { choices: [{ index: 0, delta: { content: `one\n${hostile}` } }] };
    response.end(`data: ${JSON.stringify(said)}\n\ndata: [DONE]\n\n`);
  });
  for (const command of [
    ["logs", "assistant"],
    ["denials", "assistant"],
    ["ask", "assistant", "hello"],
  ]) {
    const { code, said } = await nacre(...command);
    expect({ command, code, acts: acts.test(said) }).toEqual({ command, code: 0, acts: false });
    expect(said).toContain("\\x1b[2J");
    expect(said).toContain("forged\\u{202e}exe\\u{200b}");
  }
});

test("an agent that does not answer in time is exit code 124, one that fails is 1", async () => {
  const silent = await withAgent(() => undefined);
  expect(await silent("ask", "assistant", "hello", "--timeout", "1s")).toMatchObject({
    code: 124,
    said: expect.stringContaining("fix:"),
  });
  const failing = await withAgent((_request, response) => {
    response.setHeader("content-type", "text/event-stream");
    response.end(`data: ${JSON.stringify({ error: { message: hostile } })}\n\n`);
  });
  const { code, said } = await failing("ask", "assistant", "hello");
  expect({ code, acts: acts.test(said) }).toEqual({ code: 1, acts: false });
});

test("an agent that has written nothing yet has no log, which is no failure", async () => {
  const nacre = await withAgent(() => undefined, "");
  expect(await nacre("logs", "assistant")).toEqual({
    code: 0,
    said: "dev/assistant has written nothing yet\n",
  });
});

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";

const base = mkdtempSync(join(tmpdir(), "nacre-run-"));
const state = join(base, "state");
const folder = mkdtempSync(join(tmpdir(), "nacre-run-folder-"));
const main = join(import.meta.dirname, "../../lib/cli/main.ts");

const nacre = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, NACRE_STATE_DIR: state, XDG_CONFIG_HOME: join(base, "config") };
    execFile(process.execPath, [main, ...args], { env, cwd: folder }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

afterAll(() => {
  const { pid } = JSON.parse(readFileSync(join(state, "daemon.json"), "utf8")) as { pid: number };
  process.kill(pid, "SIGTERM");
  for (const path of [base, folder])
    rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

test("a command sees the folder, changes nothing of it, and its exit code comes back", async () => {
  writeFileSync(join(folder, "a.txt"), "before\n");
  const done = await nacre(
    "run",
    "--",
    "sh",
    "-c",
    "cat a.txt; echo after > a.txt; cat a.txt; rm -f a.txt; exit 7",
  );
  expect(done).toMatchObject({ code: 7, out: "before\nafter\n" });
  expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("before\n");
});

test("a host's unix socket in the folder does not answer through the overlay", async () => {
  const server = createServer((socket) => socket.end("from the host"));
  await new Promise<void>((resolve) => server.listen(join(folder, "host.sock"), resolve));
  const program =
    'import socket; s = socket.socket(socket.AF_UNIX); s.connect("host.sock"); print(s.recv(99))';
  const done = await nacre("run", "--", "python3", "-c", program);
  server.close();
  expect(done.code).not.toBe(0);
  expect(done.err).toContain("ConnectionRefusedError");
});

test("nothing of it is left: no process, no file", async () => {
  await nacre("run", "--", "sh", "-c", "sleep 1000 & echo started");
  for (let tries = 0; tries < 50 && readdirSync(join(state, "throwaway")).length > 0; tries++)
    await sleep(100);
  expect(readdirSync(join(state, "throwaway"))).toEqual([]);
});

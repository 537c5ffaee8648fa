import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { users } from "../host/machine.ts";
import { runner } from "./runner.ts";

describe.each(users)("nacre run, as %s", (user) => {
  const { folder, state, nacre, outside } = runner(user);

  test("a command sees the folder, changes nothing of it, and its exit code comes back", async () => {
    await outside("echo before > a.txt");
    const script = "cat a.txt; echo after > a.txt; cat a.txt; rm -f a.txt; exit 7";
    expect(await nacre("run", "--", "sh", "-c", script)).toMatchObject({ code: 7, out: "before\nafter\n" });
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
    expect(done.err).toMatch(/ConnectionRefusedError|PermissionError/);
  });

  test("what the network wall refused is told when the command has ended, with the fix", async () => {
    const done = await nacre("run", "--", "sh", "-c", "curl -sS https://nowhere.example/; true");
    expect(done.code).toBe(0);
    expect(done.err).toContain(
      "refused: nowhere.example: no rule names nowhere.example (network)\n  fix: add --preset",
    );
    expect((await nacre("run", "--", "true")).err).not.toContain("refused");
  });

  test("a preset whose credential is not for nacre run is warned of", async () => {
    const done = await nacre("run", "--preset", "telegram", "--", "true");
    expect(done).toMatchObject({
      code: 0,
      err: expect.stringMatching(
        /warning: sandbox run\/run, rule telegram: names the secret telegram.*--use run\/run/,
      ),
    });
  });

  test("a preset that there is not is bad use", async () => {
    const done = await nacre("run", "--preset", "nosuch", "--", "true");
    expect(done).toMatchObject({ code: 2, err: expect.stringContaining("fix: the presets are ") });
  });

  test("nothing of it is left: no process, no file", async () => {
    await nacre("run", "--", "sh", "-c", "sleep 1000 & echo started");
    const left = (): string[] => readdirSync(join(state, "throwaway"));
    for (let tries = 0; tries < 50 && left().length > 0; tries++) await sleep(100);
    expect(left()).toEqual([]);
  });
});

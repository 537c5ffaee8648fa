import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchedSchema } from "../../lib/host/launch-spec.ts";
import { ask, gather, launch, refusal, Sandbox, start } from "./launcher.ts";
import { everyone, place, type Place } from "./place.ts";
import { environment, sandboxSpec } from "./spec.ts";

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);
function log(sandbox: Sandbox): string {
  const path = join(sandbox.spec.directory, "logs/agent.log");
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

async function until<T>(what: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const value = await what();
    if (holds(value)) return value;
    if (tries > 200) throw new Error(`still ${JSON.stringify(value)}`);
    await sleep(25);
  }
}

const restarting = (policy: "always" | "on-failure" | "never") => ({ policy, initial_ms: 40, max_ms: 160 });

describe.each(everyone)("init, launched by %s", (as) => {
  let here: Place;
  beforeAll(() => {
    here = place(as);
  });
  afterAll(() => here.dispose());

  test("exec relays input, output, error and the exit code", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "exec", null));
    const big = "x".repeat(3_000_000);
    const ended = await sandbox.exec(["sh", "-c", "cat; echo problem >&2; exit 7"], { input: big });
    expect(ended.out.length).toBe(big.length);
    expect(ended).toMatchObject({ code: 7, error: "problem\n" });
    expect((await sandbox.shell("kill -SEGV $$")).code).toBe(128 + 11);
    const missing = await sandbox.exec(["nonexistent"]);
    expect(missing).toMatchObject({
      code: 125,
      error:
        "error: program nonexistent: No such file or directory (ENOENT)\n" +
        "  fix: name a program that is there inside, or its whole path there\n",
    });
    expect((await sandbox.exec(["pwd"], { cwd: "/tmp" })).out).toBe("/tmp\n");
    // A program that leaves another behind with its output open does not hold its caller.
    expect((await sandbox.shell("sleep 100 & echo done")).out).toBe("done\n");
  });

  test("exec passes signals on, and hangs up what it leaves", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "signals", null));
    const spec = {
      control: sandbox.control,
      argv: ["sleep", "1000"],
      env: environment,
      cwd: "/",
      tty: false,
    };
    const running = start(here, "exec", spec);
    const ended = gather(running);
    const sleeping = () =>
      sandbox.ask({ op: "processes" }).then(([answer]) => answer.processes.length as number);
    await until(sleeping, (count) => count === 1);
    running.kill("SIGTERM");
    expect((await ended).code).toBe(128 + 15);
    const killed = start(here, "exec", spec);
    await until(sleeping, (count) => count === 1);
    killed.kill("SIGKILL");
    await until(sleeping, (count) => count === 0);
  });

  test("exec gives a terminal of its own: size, interrupt, job control", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "terminal", null));
    const terminal = (argv: string[], input: string) => {
      const file = join(here.root, "terminal.json");
      const env = { ...environment, TERM: "dumb" };
      writeFileSync(file, JSON.stringify({ control: sandbox.control, argv, env, cwd: "/", tty: true }));
      const { uid } = here.caller;
      const self = process.getuid?.() === uid ? "" : `setpriv --reuid=${uid} --regid=${uid} --clear-groups`;
      const command = `stty rows 31 cols 97; ${self} ${here.launcher} exec 3<${file}; echo code=$?`;
      const child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "pipe"] });
      setTimeout(() => child.stdin.write(input), 700);
      return gather(child);
    };
    const sized = await terminal(
      ["bash", "-c", "tty; stty size; ps -o tty= $$ 2>/dev/null; read x; echo got $x"],
      "hello\r",
    );
    expect(sized.out).toContain("/dev/pts/0");
    expect(sized.out).toContain("31 97");
    expect(sized.out).toContain("got hello");
    expect(sized.out).toContain("code=0");
    const interrupted = await terminal(["sleep", "1000"], "\u0003");
    expect(interrupted.out).toContain("code=130");
    // The same walls as without one.
    const walls = ["grep", "-E", "^(Uid|Groups|Cap.*|NoNewPrivs|Seccomp.*):", "/proc/self/status"];
    const plain = (await sandbox.exec(walls)).out.trim().split("\n");
    expect(plain).toContain("Seccomp:\t2");
    expect((await terminal(walls, "")).out.split("\r\n")).toEqual(expect.arrayContaining(plain));
  });

  test("a second init for the same folder is refused, and the first goes on", async () => {
    const spec = sandboxSpec(here, "locked", ["sleep", "infinity"]);
    await using sandbox = await launch(here, spec);
    expect(await refusal(here, spec)).toMatchObject({ code: "sandbox_running" });
    const [state] = await sandbox.ask({ op: "state" });
    expect(state.main.state).toBe("running");
    await sandbox.ask({ op: "stop" });
    await using again = await launch(here, { ...spec, generation: 2 });
    expect((await again.ask({ op: "state" }))[0].generation).toBe(2);
  });

  test("init lives on when whoever launched it is killed", async () => {
    const spec = sandboxSpec(here, "orphan", ["sleep", "infinity"]);
    // A caller that dies the moment it has the answer, with its whole process group and session.
    const file = join(here.root, "orphan.json");
    writeFileSync(file, JSON.stringify(spec));
    const { uid } = here.caller;
    const self = process.getuid?.() === uid ? "" : `setpriv --reuid=${uid} --regid=${uid} --clear-groups`;
    const script = `${self} ${here.launcher} sandbox 3<${file}; kill -9 -$$`;
    const killed = await gather(
      spawn("setsid", ["-w", "sh", "-c", script], { stdio: ["ignore", "pipe", "pipe"] }),
    );
    expect(killed.code === 137 || killed.signal === "SIGKILL").toBe(true);
    const launched = launchedSchema.parse(JSON.parse(killed.out));
    if (!launched.ok) throw new Error(killed.out);
    const sandbox = new Sandbox(here, spec, launched);
    const { pid, start_time } = sandbox.launched;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    expect(Number(stat[19])).toBe(start_time);
    // A session of its own, and no parent of ours.
    expect(Number(stat[3])).toBe(pid);
    expect(Number(stat[1])).not.toBe(process.pid);
    await sandbox[Symbol.asyncDispose]();
    await until(
      () => alive(pid),
      (is) => !is,
    );
  });

  test("a launcher that is killed in the middle leaves nothing", async () => {
    for (const delay of [0, 2, 4, 8, 16]) {
      const spec = sandboxSpec(here, `early${delay}`, ["sleep", "4242"]);
      const child = start(here, "sandbox", { ...spec, wait: true });
      const ended = gather(child);
      await sleep(delay);
      child.kill("SIGKILL");
      await ended;
      // The folder is free again, so no init is left.
      const next = await until(
        () => launch(here, spec).catch((error: unknown) => error as Error),
        (value) => !(value instanceof Error),
      );
      await (next as Sandbox)[Symbol.asyncDispose]();
    }
  });

  test("stop asks, then kills, and answers when all of it has ended", async () => {
    const polite = 'trap "echo asked; exit 0" TERM; while :; do sleep 0.05; done';
    const sandbox = await launch(here, sandboxSpec(here, "polite", ["bash", "-c", polite]));
    await sandbox.shell("sleep 500 >/dev/null 2>&1 &");
    expect(await sandbox.ask({ op: "stop" })).toEqual([{ ok: true }]);
    expect(log(sandbox)).toContain("asked");
    await until(
      () => alive(sandbox.launched.pid),
      (is) => !is,
    );
    const deaf = await launch(
      here,
      sandboxSpec(here, "deaf", ["bash", "-c", 'trap "" TERM; echo deaf; while :; do sleep 1; done']),
    );
    await until(
      () => log(deaf),
      (text) => text.includes("deaf"),
    );
    const before = Date.now();
    expect(await deaf.ask({ op: "stop", grace_ms: 300 })).toEqual([{ ok: true }]);
    expect(Date.now() - before).toBeGreaterThan(290);
    expect(Date.now() - before).toBeLessThan(1900);
  });

  test("no signal from inside reaches init", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "unreachable", ["sleep", "infinity"]));
    await sandbox.shell(
      "for s in TERM INT HUP QUIT USR1 CHLD STOP KILL SEGV ABRT; do kill -$s 1; done; true",
    );
    expect((await sandbox.ask({ op: "state" }))[0].main.state).toBe("running");
    expect(alive(sandbox.launched.pid)).toBe(true);
  });

  test("an agent that ends is started again, later each time, until its policy says no", async () => {
    const process = (argv: string[], policy: "always" | "on-failure" | "never") => ({
      argv,
      env: environment,
      cwd: "/sandbox",
      restart: restarting(policy),
    });
    const spec = sandboxSpec(here, "again", null, {
      process: process(["bash", "-c", "echo life; exit 3"], "always"),
    });
    await using sandbox = await launch(here, spec);
    const state = () => sandbox.ask({ op: "state" }).then(([answer]) => answer.main);
    const main = await until(state, ({ restarts }) => restarts >= 4);
    expect(main.last_exit).toMatchObject({ code: 3 });
    expect(log(sandbox)).toContain(
      "life\n[nacre] the agent ended with code 3; it is started again in 40 ms\n",
    );
    expect(log(sandbox)).toContain("in 80 ms\n");
    expect(log(sandbox)).toContain("in 160 ms\n");
    const good = sandboxSpec(here, "good", null, { process: process(["true"], "on-failure") });
    await using done = await launch(here, good);
    const exited = await until(
      () => done.ask({ op: "state" }).then(([answer]) => answer.main),
      (value) => value.state === "exited",
    );
    expect(exited).toMatchObject({ restarts: 0, inside_pid: 0, last_exit: { code: 0 } });
    await done.ask({ op: "start" });
    await until(
      () => done.ask({ op: "state" }).then(([answer]) => answer.main.restarts as number),
      (restarts) => restarts === 1,
    );
  });

  test("restart replaces the agent and what it left in its session, and nobody else", async () => {
    const agent = "sleep 777 & echo $$; exec sleep infinity";
    await using sandbox = await launch(here, sandboxSpec(here, "restart", ["bash", "-c", agent]));
    const other = sandbox.exec(["sleep", "555"]);
    const listed = () =>
      sandbox
        .ask({ op: "processes" })
        .then(([answer]) =>
          (answer.processes as { inside_pid: number }[]).map(({ inside_pid }) => inside_pid),
        );
    const before = await until(listed, (pids) => pids.length === 3);
    await sandbox.ask({ op: "restart" });
    const after = await until(listed, (pids) => pids.length === 3 && !pids.includes(before[0] ?? 0));
    expect(after.filter((pid) => before.includes(pid)).length).toBe(1);
    await sandbox[Symbol.asyncDispose]();
    await other;
  });

  test("the log turns over at 10 MiB and keeps two older ones", async () => {
    const talk = "head -c 45000000 /dev/zero | tr '\\\\0' 'x'; sleep infinity";
    await using sandbox = await launch(here, sandboxSpec(here, "talk", ["bash", "-c", talk]));
    const size = (name: string): number =>
      statSync(join(sandbox.spec.directory, "logs", name), { throwIfNoEntry: false })?.size ?? 0;
    await until(
      () => size("agent.log") + size("agent.log.1") + size("agent.log.2"),
      (bytes) => bytes > 22_000_000,
    );
    await sleep(500);
    const limit = 10 * 1024 * 1024;
    for (const name of ["agent.log", "agent.log.1", "agent.log.2"])
      expect(size(name)).toBeLessThanOrEqual(limit);
    expect(size("agent.log.3")).toBe(0);
    expect(size("agent.log.2")).toBeGreaterThan(limit - 100_000);
  });

  test("dial reaches the ports that were named, on either loopback, and no other", async () => {
    const serve = (host: string, port: number): string =>
      `python3 -c 'import socket;s=socket.create_server(("${host}",${port}),family=socket.${host === "::1" ? "AF_INET6" : "AF_INET"});
while True:
  c,_=s.accept(); d=c.recv(9); c.sendall(d*2); c.shutdown(1)
  while c.recv(9): pass
  c.close()' &`;
    const script = `${serve("127.0.0.1", 18_789)} ${serve("::1", 18_790)} ${serve("127.0.0.1", 9999)} wait`;
    const spec = { ...sandboxSpec(here, "dial", ["bash", "-c", script]), ports: [18_789, 18_790, 18_791] };
    await using _sandbox = await launch(here, spec);
    const dial = (port: number): Promise<string> =>
      new Promise((resolve, reject) => {
        let text = "";
        const stream = createConnection({ path: join(spec.directory, "egress.sock"), allowHalfOpen: true });
        // What is said at once after the question belongs to the stream.
        stream.write(`${JSON.stringify({ op: "dial", port })}\nping`);
        stream.setEncoding("utf8");
        stream.on("data", (piece: string) => {
          text += piece;
          if (text.includes("pingping") || text.includes('"ok":false')) stream.end();
        });
        stream.on("error", reject);
        stream.on("close", () => resolve(text));
      });
    for (const port of [18_789, 18_790])
      await until(
        () => dial(port),
        (text) => text === '{"ok":true}\npingping',
      );
    expect(JSON.parse(await dial(9999))).toMatchObject({ ok: false, error: { code: "dial_failed" } });
    expect(JSON.parse(await dial(18_791))).toMatchObject({ ok: false, error: { code: "dial_failed" } });
  });

  test("the egress' socket answers only what an egress may ask", async () => {
    await using sandbox = await launch(here, sandboxSpec(here, "narrow", ["sleep", "infinity"]));
    const egress = join(sandbox.spec.directory, "egress.sock");
    for (const op of ["state", "stop", "start", "restart", "probe", "processes"])
      expect((await ask(egress, { op }))[0]).toMatchObject({ ok: false, error: { code: "not_allowed" } });
    const exec = { op: "exec", argv: ["true"], env: {}, cwd: "/", tty: null };
    expect((await ask(egress, exec))[0].error.code).toBe("not_allowed");
    expect((await ask(egress, { op: "attach" }))[0]).toEqual({
      ok: true,
      sockets: ["tcp4", "tcp6", "dns4", "dns6"],
    });
    expect((await ask(egress, { op: "nonsense" }))[0].error.code).toBe("bad_request");
    // A question without end is no question.
    await expect(ask(egress, { op: "x".repeat(2_000_000) })).rejects.toThrow();
    expect((await sandbox.ask({ op: "state" }))[0].ok).toBe(true);
    expect(statSync(join(sandbox.spec.directory, "init.sock")).mode & 0o777).toBe(0o600);
  });
});

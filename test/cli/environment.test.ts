import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ended, identify, signalProcess } from "../../lib/host/process-identity.ts";
import { expectError, place, type Ran } from "./missing-run.ts";

test("an environment on this machine, and what is said where it is another's, until it is taken down", async () => {
  const { project: folder, state, write, nacre } = place();
  const record = join(state, "sandboxes/dev--assistant/sandbox.json");
  const endDaemon = async (): Promise<void> => {
    const { pid } = JSON.parse(readFileSync(join(state, "daemon.json"), "utf8")) as { pid: number };
    const daemon = identify(pid);
    if (daemon === undefined) return;
    signalProcess(daemon, "SIGTERM");
    expect(await ended(daemon, 20_000)).toBe(true);
  };
  let destroyed: Ran;
  try {
    expect(nacre(["up"])).toMatchObject({ code: 0, err: expect.stringContaining("creating sandbox") });

    expect(nacre(["status", "-s", "dev", "--no-probe"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^dev\/assistant {2}running/),
    });
    expectError(nacre(["status", "-s", "prod", "--no-probe"]), {
      code: 1,
      subject: /error: environment prod/,
      reason: /has no sandbox on this machine/,
      fix: /fix: there are: dev\/assistant/,
    });

    expectError(nacre(["exec", "assistant", "--", "nosuch"]), {
      code: 125,
      subject: /^error: program nosuch/m,
      reason: /No such file/,
      fix: /fix: name a program that is there inside/,
    });
    const unseparated = nacre(["exec", "assistant", "ls", "-l"]);
    expect(unseparated.code).toBe(2);
    expect(unseparated.err).toContain("come after --: nacre exec SANDBOX -- ls -l");

    write("Pulumi.yaml", "name: other\nruntime: nodejs\n");
    expectError(nacre(["destroy", "--yes"]), {
      code: 1,
      subject: /error: environment dev/,
      reason: /belongs to project project .*\(dev\/assistant\), and this is project other/,
      fix: /fix: /,
    });
    mkdirSync(join(folder, "records"));
    write("Pulumi.yaml", "name: project\nruntime: nodejs\nbackend: { url: 'file://./records' }\n");
    expectError(nacre(["destroy", "--yes"]), {
      code: 1,
      subject: /error: environment dev/,
      reason: /\(dev\/assistant\), but not in this Pulumi state \(file:.*\/records\)/,
      fix: /fix: /,
    });
    rmSync(join(folder, "Pulumi.yaml"));
    const text = readFileSync(record, "utf8");
    await endDaemon();
    writeFileSync(record, "{}");
    const unreadable = nacre(["destroy", "--yes"]);
    await endDaemon();
    writeFileSync(record, text);
    expect(unreadable).toMatchObject({
      code: 1,
      out: expect.stringMatching(/sandbox\.json: cannot be read[^]*failed after/),
    });
  } finally {
    rmSync(join(folder, "Pulumi.yaml"), { force: true });
    destroyed = nacre(["destroy", "--yes"]);
  }
  expect(destroyed).toMatchObject({ code: 0, out: expect.stringContaining("taken down") });
  expect(destroyed.err).toContain("= workspace dev/assistant stays: ");
  expect(destroyed.err.match(/deleting sandbox/g)).toHaveLength(1); // as it is done, not as it is planned
  expect(destroyed.err).toContain("dev/assistant: keeping workspace");
});

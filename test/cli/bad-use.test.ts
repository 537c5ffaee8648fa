import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { calledAs } from "../../lib/cli/start.ts";
import { checkout, expectError, listing, place } from "./missing-run.ts";

const secret = ["--env", "KEY", "--for", "a.example", "--use", "dev/assistant"];

test("a secret that may not be is refused before it is written, and the next command works", () => {
  const { base, nacre } = place();
  expectError(nacre(["secret", "set", "bad name", ...secret]), {
    code: 2,
    subject: /error: secret "bad name"/,
    reason: /lower-case/,
    fix: /fix: write bad-name/,
  });
  expectError(nacre(["secret", "set", "key", ...secret, "--for", "https://evil.example"]), {
    code: 2,
    subject: /error: secret "key"/,
    reason: /for\[1\]: must be a host/,
    fix: /fix: write evil\.example/,
  });
  expect(listing(join(base, "config"))).toEqual([]);
  expect(nacre(["secret", "set", "key", ...secret])).toMatchObject({ code: 0 });
  expect(readFileSync(join(base, "config/nacre/host.yaml"), "utf8")).toContain("key: { env: KEY");
  expect(nacre(["secret", "remove", "key"])).toMatchObject({ code: 0 });
});

test("a secret's file that cannot be used is warned about when it is named; one that can is not", () => {
  const { base, nacre } = place();
  const file = join(base, "key");
  const set = () => nacre(["secret", "set", "key", "--file", file, ...secret.slice(2)]);
  expect(set()).toMatchObject({
    code: 0,
    err: expect.stringMatching(/warning: secret key: .* is not there/),
  });
  writeFileSync(file, "value");
  chmodSync(file, 0o644);
  expect(set().err).toMatch(/warning: secret key: .* can be read by others \(chmod 600 /);
  chmodSync(file, 0o600);
  expect(set().err).not.toContain("warning");
});

test("a secret's file is named from where the command is called, whoever reads it", () => {
  const { base, nacre } = place();
  nacre(["secret", "set", "key", "--file", "keys/one", ...secret.slice(2)]);
  const written = /file: ([^,]*),/.exec(readFileSync(join(base, "config/nacre/host.yaml"), "utf8"));
  expect(written?.[1]).toMatch(/^\/.*\/keys\/one$/);
});

test.each([
  [[], "no source is named"],
  [["--env", "KEY", "--file", "/k"], "more than one source is named"],
])("a secret has one source, not %j", (sources, reason) => {
  const ran = place().nacre(["secret", "set", "key", ...sources, ...secret.slice(2)]);
  expectError(ran, {
    code: 2,
    subject: /error: key/,
    reason: new RegExp(reason),
    fix: /fix: give one of --file/,
  });
});

test("a mapping that is replaced is told, and one that is added to keeps its source", () => {
  const { nacre } = place();
  for (const name of ["key", "constructor"])
    expect(nacre(["secret", "set", name, ...secret]).err).not.toContain("it was");
  const added = nacre(["secret", "allow", "key", "--use", "dev/other", "--for", "b.example"]);
  expect(added).toMatchObject({
    code: 0,
    err: "key is env KEY, for a.example, b.example, used by dev/assistant, dev/other\n",
  });
  const replaced = nacre(["secret", "set", "key", "--env", "OTHER", ...secret.slice(2)]);
  expect(replaced.err).toContain(
    "it was env KEY, for a.example, b.example, used by dev/assistant, dev/other (nacre secret allow adds to that)",
  );
  const fix = /fix: nacre secret set none says/;
  expectError(nacre(["secret", "allow", "none", "--use", "dev/a"]), {
    code: 1,
    subject: /error: none/,
    reason: /is not mapped/,
    fix,
  });
  expectError(nacre(["secret", "allow", "key"]), {
    code: 2,
    subject: /error: key/,
    reason: /nothing is added/,
    fix: /fix: give --for, --use or both/,
  });
});

test("a missing option names the help of that very sub-command", () => {
  expect(place().nacre(["secret", "set", "key"]).err).toContain("(nacre secret set --help shows examples)");
});

test.each(["abc", "-5", "1.5", ""])("logs of %j lines are refused", (count) => {
  const { state, nacre } = place();
  const ran = nacre(["logs", "assistant", "-n", count]);
  expectError(ran, { code: 2, subject: /error: /, reason: /no count of lines/, fix: /fix: .*-n 20/ });
  expect(listing(state)).toEqual([]);
});

test("an empty task is refused before the agent is asked", () => {
  const { state, nacre } = place();
  const ran = nacre(["ask", "assistant", " "]);
  expectError(ran, {
    code: 2,
    subject: /error: message/,
    reason: /is empty/,
    fix: /fix: .*nacre ask assistant/,
  });
  expect(listing(state)).toEqual([]);
});

test("help names what can be written", () => {
  const { nacre } = place();
  expect(nacre(["reference", "--help"]).out).toMatch(
    /"blueprint", "policy", "overlay",\s+"presets",\s+"host",\s+"stack",\s+"targets"/,
  );
  expect(nacre(["secret", "--help"]).out).toContain("$ nacre secret set nvidia --env NVIDIA_API_KEY");
  // What `nacre run` starts has a name too, for a credential.
  expect(nacre(["secret", "set", "--help"]).out).toMatch(/--use dev\/assistant run\/run/);
  expect(nacre(["run", "--help"]).out).toMatch(/nacre secret set .*--use run\/run/);
});

test("what comes next is written as it is called here", () => {
  expect(calledAs("file:///repo/lib/cli/start.ts", "/repo", "/repo")).toBe("node lib/bootstrap.mjs");
  expect(calledAs("file:///repo/lib/cli/start.ts", "/repo", "/repo/test")).toBe("node ../lib/bootstrap.mjs");
  expect(calledAs("file:///app/node_modules/nacre/dist/cli/start.js", "/app", "/app")).toBe("nacre");
});

test("a reader that has enough ends the command, without a stack", async () => {
  const child = spawn(process.execPath, [join(checkout, "lib/cli/main.ts"), "reference", "blueprint"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdout.destroy();
  const [code] = (await once(child, "close")) as [number];
  expect({ code, err }).toEqual({ code: 0, err: "" });
});

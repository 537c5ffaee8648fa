import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "./eventually.ts";

/** With a compiler that writes down what it is asked for. */
let folder: string;
const cache = () => join(folder, "cache");
const asked = () => readFileSync(join(folder, "asked"), "utf8").trimEnd().split("\n");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nacre-binaries-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function compiler(then: string): void {
  const script = `#!/bin/sh\necho "$*" >>${folder}/asked\nwhile [ "$1" != -o ]; do shift; done\n${then}\n`;
  writeFileSync(join(folder, "go"), script, { mode: 0o755 });
}

const script = `const { binaries } = await import(${JSON.stringify(new URL("binaries.ts", import.meta.url).href)});
console.log((await binaries()).etcd)`;
const environment = () => ({
  ...process.env,
  NACRE_CACHE_DIR: cache(),
  PATH: `${folder}:${process.env["PATH"] ?? ""}`,
});
const ask = async (): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", script], { env: environment() });
  return stdout.trim();
};

test("two who ask side by side get one build, whole, and nothing else stays", async () => {
  compiler(`sleep 0.3; echo program >"$2"`);
  const [first, second] = await Promise.all([ask(), ask()]);
  expect(first).toBe(second);
  expect(readFileSync(first, "utf8")).toBe("program\n");
  expect(await ask()).toBe(first);
  expect(asked().map((line) => line.split("/").at(-1))).toEqual([
    "v3",
    "kube-apiserver",
    "kube-controller-manager",
  ]);
  const [built, ...others] = readdirSync(join(cache(), "kubernetes")).filter((name) => name !== ".lock");
  expect(others).toEqual([]);
  expect(readdirSync(join(cache(), "kubernetes", built!)).sort()).toEqual([
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
  ]);
});

test("a build that is killed blocks nobody", async () => {
  compiler("sleep 2; exit 1");
  const killed = spawn(process.execPath, ["-e", script], { env: environment(), stdio: "ignore" });
  await eventually("the build", () => Promise.resolve(existsSync(join(folder, "asked")) || undefined));
  killed.kill("SIGKILL");
  await once(killed, "exit");
  compiler(`echo program >"$2"`);
  expect(readFileSync(await ask(), "utf8")).toBe("program\n");
});

test("a build that fails says how, and leaves nothing in the cache", async () => {
  compiler("echo no such module >&2; exit 3");
  await expect(ask()).rejects.toThrow(/go build ended with 3:\s+no such module/);
  expect(readdirSync(join(cache(), "kubernetes"))).toEqual([".lock"]);
});

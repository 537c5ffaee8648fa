import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Progress } from "../../lib/host/api.ts";
import { npmProgress, packagesIn } from "../../lib/host/kits/npm-progress.ts";

const lock = JSON.stringify({
  lockfileVersion: 3,
  packages: {
    "": { version: "0.0.0" },
    "node_modules/a": { version: "1.0.0", integrity: "sha512-x" },
    "node_modules/a/node_modules/bundled": { version: "1.0.0", inBundle: true },
    "node_modules/linux": {
      version: "1.0.0",
      integrity: "sha512-x",
      os: ["linux"],
      cpu: ["x64"],
      libc: ["glibc"],
    },
    "node_modules/musl": {
      version: "1.0.0",
      integrity: "sha512-x",
      os: ["linux"],
      cpu: ["x64"],
      libc: ["musl"],
    },
    "node_modules/mac": { version: "1.0.0", integrity: "sha512-x", os: ["darwin"] },
    "node_modules/not-windows": { version: "1.0.0", integrity: "sha512-x", os: ["!win32"] },
  },
});

test("counts what is fetched on this system", () => {
  expect(packagesIn(lock, { os: "linux", cpu: "x64", libc: "glibc" })).toBe(3);
  expect(packagesIn(lock, { os: "darwin", cpu: "arm64", libc: "" })).toBe(3);
});

test("reports tarballs as npm fetches them, across pieces of output", () => {
  const said: Progress[] = [];
  const output = npmProgress("a@1", 2, (progress) => said.push(progress));
  output(
    "npm http fetch GET 200 https://registry.example/a 12ms (cache miss)\nnpm http fetch GET 200 https://reg",
  );
  output("istry.example/a/-/a-1.0.0.tgz 30ms (cache miss)\n");
  output("npm http fetch GET 404 https://registry.example/b/-/b-1.0.0.tgz 30ms\n");
  output("npm http fetch GET 200 https://registry.example/c/-/c-1.0.0.tgz 30ms (cache miss)\n");
  expect(said.map(({ message }) => message)).toEqual([
    "a@1: 0 of 2 packages",
    "a@1: 1 of 2 packages",
    "a@1: 2 of 2 packages",
  ]);
  expect(said.map(({ fraction }) => fraction)).toEqual([0, 0.45, 0.9]);
});

test("an endless line costs no memory and no crash", () => {
  const output = npmProgress("a@1", 2, () => undefined);
  for (let at = 0; at < 1000; at += 1) output("x".repeat(10_000));
});

test("the lock that ships names one version, every tarball by its digest, and no address", () => {
  const shipped = readFileSync(
    new URL("../../lib/host/kits/openclaw/package-lock.json", import.meta.url),
    "utf8",
  );
  const { packages } = JSON.parse(shipped);
  expect(packages["node_modules/openclaw"].version).toBe("2026.9.6");
  expect(packages[""].dependencies).toEqual({ openclaw: "2026.9.6" });
  for (const [path, entry] of Object.entries<any>(packages)) {
    if (path !== "" && entry.inBundle !== true) expect(entry.integrity, path).toMatch(/^sha512-/);
  }
  expect(shipped).not.toContain("resolved");
  expect(packagesIn(shipped, { os: "linux", cpu: "x64", libc: "glibc" })).toBe(330);
});

import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { engineTimeout } from "../pulumi/stack.ts";
import { expectError, listing, place, run, sleeper } from "./missing-run.ts";

const pods = sleeper("    walls: { files: best_effort, syscalls: best_effort }\n");

/** A cache with the engine and nothing else, on a machine from which nothing can be downloaded. */
async function offline() {
  await findEngine({ cache: cacheDirectory() });
  const here = place(pods);
  const cache = join(here.base, "cache");
  mkdirSync(cache);
  symlinkSync(join(cacheDirectory(), "engine"), join(cache, "engine"));
  const env = { NACRE_CACHE_DIR: cache, HTTPS_PROXY: "http://127.0.0.1:1", PULUMI_BACKEND_URL: undefined };
  return { ...here, cache, env, nacre: (args: readonly string[]) => here.nacre(args, { env }) };
}

test(
  "no Kubernetes plugin and no internet: one error, with the archive to bring and the command that installs it",
  { timeout: engineTimeout },
  async () => {
    const { nacre, project, cache, env, write } = await offline();
    const ran = nacre(["preview", "--target", "cluster"]);
    expectError(ran, {
      code: 1,
      subject: /^error: Pulumi plugin kubernetes \d+\.\d+\.\d+: /m,
      reason: /is not installed, and it cannot be downloaded: .*proxyconnect.*connection refused$/m,
      fix: /fix: without internet: bring https:.*\.tar\.gz here, .*; nacre synth needs no plugin$/m,
    });
    expect(ran.out).toBe("");
    expect(ran.err).not.toMatch(/will retry|warning/i);
    expect(ran.err.trim().split("\n")).toHaveLength(3); // the progress, the error, its fix

    const [, archive = ""] = /bring https:\S*\/(\S+) here/.exec(ran.err) ?? [];
    const [, command = ""] = / here, then (.*); nacre synth/.exec(ran.err) ?? [];
    const standIn = join(import.meta.dirname, "../cluster/provider");
    expect(run(["tar", "-czf", archive, "-C", standIn, "."], project, process.env).code).toBe(0);
    expect(run(["/bin/sh", "-c", command], project, { ...process.env, ...env }).code).toBe(0);
    expect(listing(join(cache, "pulumi/plugins")).join(" ")).toMatch(/resource-kubernetes-v[\d.]+\/main\.ts/);
    write("Pulumi.prod.yaml", "config: { nacre:target: cluster }\n");
    expect(nacre(["doctor"]).out).toMatch(/^✓ +plugin kubernetes +installed/m);
  },
);

test("doctor names the plugins that a stack's target needs and that are not there", async () => {
  const { nacre, write } = await offline();
  expect(nacre(["doctor"]).out).not.toContain("plugin");
  write("Pulumi.prod.yaml", "config: { nacre:target: gateway }\n");
  const { out, err } = nacre(["doctor"]);
  for (const name of ["kubernetes", "docker"]) {
    expect(out).toMatch(new RegExp(`^! +plugin ${name} .*is not installed, and a stack here needs it`, "m"));
    expect(err).toMatch(new RegExp(`fix: .*pulumi plugin install resource ${name} .* --file `));
  }
  write("Pulumi.prod.yaml", "config: { nacre:target: moon }\n");
  expect(nacre(["doctor"]).out).toMatch(/^! +project .*Pulumi\.prod\.yaml/m);
});

test("a plugin that is on PATH is taken, and nothing is downloaded", { timeout: engineTimeout }, async () => {
  const { nacre, env } = await offline();
  const path = `${join(import.meta.dirname, "../cluster/provider")}:${process.env["PATH"] ?? ""}`;
  Object.assign(env, { PATH: path });
  const { code, out, err } = nacre(["preview", "--target", "cluster"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain("to create: nothing was changed yet");
});

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { exclusively } from "./exclusive.ts";

export const kubernetesVersion = "1.34.2";

/** Compiling takes 7 minutes on two idle cores, once a machine: for the hook of a test that may be the first. */
export const buildTimeout = 2_400_000;

/** Where the programs of the control plane are. */
export interface Binaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly controllerManager: string;
}

const programs = {
  etcd: "go.etcd.io/etcd/server/v3",
  "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
  "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
};
const [major, minor] = kubernetesVersion.split(".");
const variables = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((folder) => [
  `-X ${folder}.gitVersion=v${kubernetesVersion}`,
  `-X ${folder}.gitMajor=${major!}`,
  `-X ${folder}.gitMinor=${minor!}`,
  `-X ${folder}.gitTreeState=clean`,
]);
const flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", `-s -w ${variables.join(" ")}`];

/**
 * The control plane's own programs, compiled from their Go modules where the cache has none. `module/go.sum` pins every
 * source. They land in the cache by one rename, built once however many ask; Go's build cache (4 GB) goes with the build.
 * @throws Error with the last lines of what failed.
 */
export async function binaries(): Promise<Binaries> {
  const folder = join(cacheDirectory(), "kubernetes");
  const target = join(folder, `v${kubernetesVersion}-${await digest()}`);
  if (!existsSync(target)) {
    await mkdir(folder, { recursive: true });
    await exclusively(join(folder, ".lock"), async () => {
      if (!existsSync(target)) await build(folder, target);
    });
  }
  return {
    etcd: join(target, "etcd"),
    apiserver: join(target, "kube-apiserver"),
    controllerManager: join(target, "kube-controller-manager"),
  };
}

const moduleFile = (name: string): URL => new URL(`module/${name}`, import.meta.url);

async function digest(): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([programs, flags]));
  for (const name of ["go.mod", "go.sum"]) hash.update(await readFile(moduleFile(name)));
  return hash.digest("hex").slice(0, 12);
}

/** Only the holder of the lock builds, so `.build` is what a killed one left. */
async function build(folder: string, target: string): Promise<void> {
  const leftover = join(folder, ".build");
  await rm(leftover, { recursive: true, force: true });
  await mkdir(leftover);
  const staging = await mkdtemp(join(leftover, "v"));
  try {
    const source = join(staging, "source");
    const made = join(staging, "made");
    await Promise.all([source, made].map((path) => mkdir(path)));
    for (const name of ["go.mod", "go.sum"]) await copyFile(moduleFile(name), join(source, name));
    for (const [name, program] of Object.entries(programs)) {
      const started = Date.now();
      process.stderr.write(`kubernetes: compiling ${name}, some minutes, once a machine\n`);
      await go(["build", ...flags, "-o", join(made, name), program], source, join(staging, "cache"));
      process.stderr.write(`kubernetes: ${name} took ${Math.round((Date.now() - started) / 1000)} s\n`);
    }
    await rename(made, target);
  } finally {
    await rm(leftover, { recursive: true, force: true });
  }
}

async function go(args: readonly string[], cwd: string, cache: string): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "", GOWORK: "off", GOCACHE: cache };
  const output: string[] = [];
  const code = await new Promise((done) => {
    // It ends with us: a killed one's would go on writing where the next has begun.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "go", ...args], {
      cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes: Buffer) => output.push(bytes.toString()));
    }
    child.on("error", (error) => done(error.message)).on("close", done);
  });
  if (code === 0) return;
  const last = output.join("").trimEnd().split("\n").slice(-8).join("\n");
  throw new Error(`go ${args[0]!} ended with ${String(code)}:\n${last}`);
}

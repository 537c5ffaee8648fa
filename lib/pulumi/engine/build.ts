import { spawn } from "node:child_process";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NacreError } from "../../error.ts";
import type { OnEngineProgress } from "./progress.ts";
import { engineVersion } from "./version.ts";

const PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";

/**
 * Compiles the engine from its Go modules into `<directory>/bin/pulumi`. `module/go.sum` beside this file pins every
 * source (`-mod=readonly`), so what is built is what was reviewed. Takes minutes, and some 3 GB in Go's own caches.
 * @throws NacreError `engine_build` when there is no `go`, or it fails; the message ends with its last lines.
 */
export async function build(
  directory: string,
  options: { readonly path?: string; readonly onProgress?: OnEngineProgress; readonly signal?: AbortSignal },
): Promise<void> {
  const { onProgress, signal } = options;
  const go = (args: readonly string[], onLine: (line: string) => void) =>
    run(args, { cwd: source, path: options.path, signal, onLine });
  const source = join(directory, "source");
  await mkdir(source, { recursive: true });
  for (const file of ["go.mod", "go.sum"]) {
    await copyFile(new URL(`module/${file}`, import.meta.url), join(source, file));
  }

  onProgress?.({ step: "modules", message: "fetching the engine's Go modules" });
  let total = 0;
  await go(["list", "-mod=readonly", "-deps", PACKAGE], () => (total += 1));

  let done = 0;
  const version = `github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${engineVersion}`;
  const flags = [
    "-mod=readonly",
    "-trimpath",
    "-v",
    "-tags",
    "osusergo,grpcnotrace",
    "-ldflags",
    `-s -w -X ${version}`,
  ];
  onProgress?.({ step: "compile", message: "compiling the engine", done, total, unit: "packages" });
  await go(["build", ...flags, "-o", join(directory, "bin/pulumi"), PACKAGE], (line) => {
    if (/^\S+\/\S+$/.test(line)) done += 1;
    onProgress?.({
      step: "compile",
      message: `compiling the engine: ${line}`,
      done,
      total,
      unit: "packages",
    });
  });
}

interface Run {
  readonly cwd: string;
  readonly path: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onLine: (line: string) => void;
}

async function run(args: readonly string[], { cwd, path, signal, onLine }: Run): Promise<void> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...(path !== undefined && { PATH: path }),
    CGO_ENABLED: "0",
    GOFLAGS: "",
    GOWORK: "off",
    GOOS: "linux",
    GOARCH: "amd64",
  };
  const last: string[] = [];
  const code = await new Promise<number | string | null>((done) => {
    const child = spawn("go", args, { cwd, env, signal, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        last.push(line);
        if (last.length > 8) last.shift();
        onLine(line);
      });
    }
    child.on("error", (error) => done(error.message)).on("close", (code, killer) => done(code ?? killer));
  });
  if (code === "spawn go ENOENT") throw failed("go is not on PATH");
  if (code !== 0) throw failed(`go ${args[0] ?? ""} ended with ${code ?? "no status"}:\n${last.join("\n")}`);
}

const failed = (message: string): NacreError =>
  new NacreError({ code: "engine_build", subject: `engine ${engineVersion}`, message });

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { NacreError } from "./error.ts";

/**
 * Makes `dist/`, what `npm pack` puts into the package: `lib/` compiled to JavaScript and types at the same relative
 * places, the files beside them as they are, and the launcher. Node runs no TypeScript under node_modules.
 */
const root = dirname(import.meta.dirname);
const draft = join(root, ".cache/dist");

try {
  rmSync(draft, { recursive: true, force: true });
  compile(draft);
  copyAssets(join(root, "lib"), draft);
  addLauncher(join(draft, "launcher/nacre-launcher"));
  rmSync(join(root, "dist"), { recursive: true, force: true });
  renameSync(draft, join(root, "dist"));
} catch (error) {
  if (!(error instanceof NacreError)) throw error;
  process.stderr.write(`error: ${error.toString()}\n`);
  process.exitCode = 1;
}

function compile(out: string): void {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const args = [tsc, "-p", join(root, ".config/tsconfig.package.json"), "--outDir", out];
  const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", 2, 2] });
  if (status !== 0) throw failed("lib", "tsc could not compile it", "read its output above");
}

/** Everything that is no TypeScript: the plugin's executable, kit locks, the engine's go.mod. */
function copyAssets(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const place = relative(from, path);
    const source = place.startsWith("launcher/") || place === "bootstrap.mjs" || /\.tsx?$/.test(place);
    if (!entry.isFile() || source) continue;
    mkdirSync(dirname(join(to, place)), { recursive: true });
    cpSync(path, join(to, place));
    chmodSync(join(to, place), statSync(path).mode & 0o111 ? 0o755 : 0o644);
  }
}

/** Built here, so that it is a release of this very source, without the features that tests switch on. */
function addLauncher(to: string): void {
  const cwd = join(root, "lib/launcher");
  const { status, error } = spawnSync("cargo", ["build", "--release", "--locked", "--quiet"], {
    cwd,
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) {
    throw failed(
      "lib/launcher",
      `cargo could not build it: ${error?.message ?? "see above"}`,
      "install Rust 1.85 or later",
    );
  }
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(cwd, "target/x86_64-unknown-linux-gnu/release/nacre-launcher"), to);
  chmodSync(to, 0o755);
}

function failed(subject: string, message: string, hint: string): NacreError {
  return new NacreError({ code: "package_failed", subject, message, hint });
}

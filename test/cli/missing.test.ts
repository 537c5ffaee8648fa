import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkout, expectError, listing, place, run, sleeper } from "./missing-run.ts";

/** What stands of a checkout before anything was made in it. */
function bareCheckout() {
  const { base, state } = place();
  const root = join(base, "checkout");
  for (const path of [
    "package.json",
    "package-lock.json",
    "lib/bootstrap.mjs",
    "lib/cli/main.ts",
    "lib/launcher/Cargo.toml",
    "lib/launcher/Cargo.lock",
    "lib/launcher/src",
  ])
    cpSync(join(checkout, path), join(root, path), { recursive: true });
  const tools = join(base, "tools");
  mkdirSync(tools);
  symlinkSync(process.execPath, join(tools, "node"));
  const start = (...node: string[]) =>
    run([process.execPath, ...node, join(root, "lib/bootstrap.mjs"), "start"], root, {
      PATH: tools,
      HOME: base,
      NACRE_STATE_DIR: state,
    });
  return { root, state, tools, start };
}

/** As `npm ci` leaves it. */
function markInstalled(root: string): void {
  const hash = createHash("sha256");
  for (const name of ["package.json", "package-lock.json"])
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(root, name)))
      .update("\0");
  mkdirSync(join(root, "node_modules"));
  writeFileSync(join(root, "node_modules/.nacre-lock"), hash.digest("hex"));
}

test.each(["darwin", "win32"])("on %s it says that Linux is needed, and makes nothing", (platform) => {
  const { root, state, start } = bareCheckout();
  const before = listing(root);
  const preload = `data:text/javascript,Object.defineProperty(process,"platform",{value:"${platform}"})`;
  expectError(start("--import", preload), {
    code: 1,
    subject: new RegExp(`^error: ${platform} x64:`, "m"),
    reason: /builds its walls from Linux/,
    fix: /fix: run it on Linux, or in a Linux VM/,
  });
  expect(listing(root)).toEqual(before);
  expect(listing(state)).toEqual([]);
});

test("on another processor it says which one is needed", () => {
  const { start } = bareCheckout();
  const preload = 'data:text/javascript,Object.defineProperty(process,"arch",{value:"arm64"})';
  expectError(start("--import", preload), {
    code: 1,
    subject: /^error: linux arm64:/m,
    reason: /x86-64/,
    fix: /fix: /,
  });
});

test("without npm it says what to install, and makes nothing", () => {
  const { root, state, start } = bareCheckout();
  const before = listing(root);
  expectError(start(), {
    code: 1,
    subject: /^error: npm:/m,
    reason: /not found on PATH/,
    fix: /fix: install Node 20 or later with npm/,
  });
  expect(listing(root)).toEqual(before);
  expect(listing(state)).toEqual([]);
});

test("without cargo it says which Rust and where from, and the next start tries again", () => {
  const { root, state, start } = bareCheckout();
  markInstalled(root);
  const before = listing(root);
  for (let attempt = 0; attempt < 2; attempt += 1)
    expectError(start(), {
      code: 1,
      subject: /^error: cargo:/m,
      reason: /not found on PATH/,
      fix: /fix: install Rust 1\.85 or later: https:\/\/rustup\.rs/,
    });
  expect(listing(root)).toEqual(before);
  expect(listing(state)).toEqual([]);
});

test("a cargo that fails leaves no mark that the launcher was built", () => {
  const { root, tools, start } = bareCheckout();
  markInstalled(root);
  writeFileSync(
    join(tools, "cargo"),
    "#!/bin/sh\necho 'error: package requires rustc 1.85' >&2\nexit 101\n",
    {
      mode: 0o755,
    },
  );
  expectError(start(), {
    code: 1,
    subject: /^error: building the launcher/m,
    reason: /cargo ended with 101/,
    fix: /fix: read its output above/,
  });
  expect(listing(join(root, "lib/launcher/target"))).toEqual([]);
});

test("no engine to be had: each way that was tried, and what to install", () => {
  const { base, state, nacre } = place();
  const cache = join(base, "cache");
  // No program on PATH, and a network namespace of its own: the releases cannot be reached.
  const offline = ["/usr/bin/unshare", "--user", "--map-current-user", "--net"];
  expectError(
    nacre(["up"], { wrapper: offline, env: { PATH: join(base, "nothing"), NACRE_CACHE_DIR: cache } }),
    {
      code: 1,
      subject: /^error: Pulumi engine: no engine 3\./m,
      reason: /PATH: no pulumi[^]*download: .*get\.pulumi\.com[^]*build: .*\bgo\b/,
      fix: /fix: install Pulumi .* or Go/,
    },
  );
  expect(listing(state)).toEqual([]);
  expect(listing(cache).filter((path) => !/^(engine|compiled\b.*)$/.test(path))).toEqual([]);
  expect(readdirSync(join(cache, "engine"))).toEqual([]);
});

test.each([
  ["a misspelt field", sleeper("    resorces: { pids: 5 }\n"), /resorces/, /resources/],
  ["a wall that is a number", sleeper("    walls: { files: 7 }\n"), /walls/, /required/],
  ["YAML that does not end", "agents: { assistant: [\n", /blueprint\.yaml:\d+:\d+/, /fix: /],
])("a bad blueprint, %s: where, why and the nearest right one", (_, text, reason, fix) => {
  const { state, nacre } = place(text);
  expectError(nacre(["up"]), { code: 1, subject: /blueprint\.yaml:\d+:\d+/, reason, fix });
  expect(listing(state)).toEqual([]);
});

test("no blueprint: where one was looked for, and how one is made", () => {
  const { base, state, nacre } = place();
  expectError(nacre(["up", "-b", join(base, "none.yaml")]), {
    code: 1,
    subject: /none\.yaml/,
    reason: /error: /,
    fix: /fix: /,
  });
  expect(listing(state)).toEqual([]);
});

test.each([[["upp"]], [["up", "--no-such"]], [["exec"]]])(
  "bad use, nacre %s, is exit code 2 and names the help",
  (args) => {
    const { state, nacre } = place();
    expectError(nacre(args), { code: 2, subject: /error: /, reason: /unknown|missing/, fix: /--help/ });
    expect(listing(state)).toEqual([]);
  },
);

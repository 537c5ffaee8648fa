import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs every tier, each within its time, and adds up what they counted. A check without tests counts as one. */
interface Tier {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly minutes: number;
  readonly counts: "one" | "vitest" | "cargo";
  readonly cwd?: string;
}

const vitest = (name: string, minutes: number, ...args: string[]): Tier => ({
  name,
  command: ["node_modules/vitest/vitest.mjs", "run", ...args],
  minutes,
  counts: "vitest",
});

const tiers: readonly Tier[] = [
  {
    name: "prettier",
    command: [
      "npx",
      "prettier",
      "--check",
      "--ignore-path",
      ".gitignore",
      "--ignore-path",
      ".config/prettierignore",
      "--log-level",
      "warn",
      ".",
    ],
    minutes: 5,
    counts: "one",
  },
  { name: "types", command: ["npx", "tsc", "-p", "."], minutes: 8, counts: "one" },
  {
    name: "eslint",
    command: ["npx", "eslint", "-c", ".config/eslint.config.js", "--max-warnings", "0", "."],
    minutes: 10,
    counts: "one",
  },
  { name: "rustfmt", command: ["cargo", "fmt", "--check"], minutes: 1, counts: "one", cwd: "lib/launcher" },
  {
    name: "clippy",
    command: ["cargo", "clippy", "--locked", "--all-features", "--all-targets", "-q", "--", "-D", "warnings"],
    minutes: 12,
    counts: "one",
    cwd: "lib/launcher",
  },
  {
    name: "launcher",
    command: ["cargo", "test", "--locked"],
    minutes: 8,
    counts: "cargo",
    cwd: "lib/launcher",
  },
  vitest("npm test", 20, "--config", ".config/vitest.config.ts"),
  // The first time it compiles Kubernetes' control plane: 7 minutes of two idle cores.
  vitest("slow", 50, "--config", ".config/vitest.slow.config.ts"),
];

function count(
  tier: Tier,
  report: string,
  output: string,
  status: number | null,
): { passed: number; failed: number } {
  if (tier.counts === "one") return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  let passed = 0;
  let failed = 0;
  if (tier.counts === "cargo") {
    for (const line of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)) {
      passed += Number(line[1]);
      failed += Number(line[2]);
    }
  } else {
    try {
      const json = JSON.parse(readFileSync(report, "utf8")) as {
        numPassedTests: number;
        numFailedTests: number;
      };
      passed = json.numPassedTests;
      failed = json.numFailedTests;
    } catch {
      failed = 1;
    }
  }
  // A runner that fails without a failed test (a suite that did not load, a time-out) has failed all the same.
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
}

const reports = mkdtempSync(join(tmpdir(), "nacre-ci-"));
const only = new Set(process.argv.slice(2));
const rows: string[] = [];
let passed = 0;
let failed = 0;
for (const tier of tiers.filter(({ name }) => only.size === 0 || only.has(name))) {
  process.stdout.write(`\n== ${tier.name}\n`);
  const report = join(reports, `${tier.name.replaceAll(" ", "-")}.json`);
  const [file, ...args] = tier.command;
  const command =
    tier.counts === "vitest"
      ? [
          process.execPath,
          file,
          ...args,
          "--reporter=default",
          "--reporter=json",
          `--outputFile.json=${report}`,
        ]
      : [file, ...args];
  const started = Date.now();
  const run = spawnSync(command[0] ?? "", command.slice(1), {
    cwd: tier.cwd,
    stdio: ["ignore", tier.counts === "cargo" ? "pipe" : "inherit", "inherit"],
    timeout: tier.minutes * 60_000,
    killSignal: "SIGKILL",
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  if (tier.counts === "cargo") process.stdout.write(run.stdout);
  const result = count(tier, report, tier.counts === "cargo" ? run.stdout : "", run.status);
  passed += result.passed;
  failed += result.failed;
  const seconds = Math.round((Date.now() - started) / 1000);
  rows.push(`${tier.name.padEnd(10)} ${result.passed} passed, ${result.failed} failed, ${seconds} s`);
}
process.stdout.write(`\n${rows.join("\n")}\n\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

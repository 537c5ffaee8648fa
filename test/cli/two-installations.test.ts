import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkout, endDaemon } from "./missing-run.ts";

/** Another installation of the same version. */
function installation(base: string): string {
  const root = join(base, "other");
  mkdirSync(root);
  const target = join(checkout, "lib/launcher/target");
  for (const path of ["lib", "policies", "package.json"])
    cpSync(join(checkout, path), join(root, path), {
      recursive: true,
      filter: (from) => relative(target, from).startsWith(".."),
    });
  symlinkSync(target, join(root, "lib/launcher/target"));
  symlinkSync(join(checkout, "node_modules"), join(root, "node_modules"));
  return root;
}

test("two installations of one version share a daemon; one that is gone serves no longer", () => {
  const base = mkdtempSync(join(tmpdir(), "nacre-two-"));
  const state = join(base, "state");
  onTestFinished(async () => {
    await endDaemon(state);
    rmSync(base, { recursive: true, force: true });
  });
  const env = { ...process.env, NACRE_STATE_DIR: state, XDG_CONFIG_HOME: join(base, "config") };
  const daemonAfter = (root: string): number => {
    execFileSync(process.execPath, [join(root, "lib/cli/main.ts"), "status", "--json"], { env });
    return (JSON.parse(readFileSync(join(state, "daemon.json"), "utf8")) as { pid: number }).pid;
  };
  const other = installation(base);
  const first = daemonAfter(other);
  expect(daemonAfter(checkout)).toBe(first);
  expect(daemonAfter(other)).toBe(first);
  rmSync(other, { recursive: true });
  expect(daemonAfter(checkout)).not.toBe(first);
});

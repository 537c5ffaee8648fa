import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

export interface Toolchain {
  readonly node: string;
  /** The checkout, or a copy of what of it runs. */
  readonly root: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
export const ownToolchain: Toolchain = { node: process.execPath, root };

/**
 * A toolchain that an ordinary user can read: this checkout where everybody may enter it, else a copy of what a daemon
 * loads (a checkout below /root is root's alone). Made once a test file, and gone after it.
 */
export const readableToolchain = (() => {
  let made: Toolchain | undefined;
  return (): Toolchain => (made ??= [root, process.execPath].every(isOpen) ? ownToolchain : copy());
})();

const copies: string[] = [];
afterAll(() => {
  for (const target of copies.splice(0)) rmSync(target, { recursive: true, force: true });
});

function isOpen(path: string): boolean {
  const { mode } = statSync(path);
  const needed = path === process.execPath || path === root ? 0o5 : 0o1;
  return (mode & needed) === needed && (dirname(path) === path || isOpen(dirname(path)));
}

function copy(): Toolchain {
  const target = mkdtempSync(join(tmpdir(), "nacre-toolchain-"));
  chmodSync(target, 0o755);
  copies.push(target);
  const binary = join("lib", "launcher", "target", "x86_64-unknown-linux-gnu", "release", "nacre-launcher");
  const take = (path: string): void =>
    cpSync(join(root, path), join(target, path), {
      recursive: true,
      filter: (from) => !relative(root, from).startsWith(join("lib", "launcher", "target")),
    });
  for (const path of ["lib", "policies", "package.json", "test/host", ...packages()]) take(path);
  mkdirSync(dirname(join(target, binary)), { recursive: true });
  copyFileSync(join(root, binary), join(target, binary));
  const node = join(target, "node");
  copyFileSync(process.execPath, node);
  for (const file of [node, join(target, binary)]) chmodSync(file, 0o755);
  return { node, root: `${target}/` };
}

/** The packages that the daemon, the egress and `nacre run` load, with theirs. */
function packages(): string[] {
  const found = new Set<string>();
  const follow = (name: string): void => {
    const folder = join("node_modules", name);
    if (found.has(folder) || !existsSync(join(root, folder))) return;
    found.add(folder);
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
      dependencies?: Record<string, string>;
    };
    Object.keys(dependencies).forEach(follow);
  };
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  Object.keys(dependencies)
    .filter((name) => !name.startsWith("@grpc") && name !== "google-protobuf" && name !== "@inquirer/prompts")
    .concat("constructs")
    .forEach(follow);
  return [...found];
}

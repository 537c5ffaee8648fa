import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";

/** An unpacked kernel of Debian's: nothing is installed. */
export interface Kernel {
  readonly release: string;
  readonly image: string;
  /** The files of a module and of all that it needs, in the order in which they load. */
  readonly modules: (...names: readonly string[]) => string[];
}

const wanted = /^linux-image-(6\.1\.\d+-\d+-cloud-amd64)$/;

/** Debian 12's kernel for virtual machines, from the cache or by apt. */
export function debianKernel(): Kernel {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "nacre", "guest");
  mkdirSync(cache, { recursive: true });
  const release = readdirSync(cache).find((name) => wanted.test(`linux-image-${name}`)) ?? fetch(cache);
  const root = join(cache, release);
  const found = modulesUnder(join(root, "lib/modules", release));
  return {
    release,
    image: join(root, "boot", `vmlinuz-${release}`),
    modules: (...names) => [...new Set(names.flatMap((name) => needs(found, name)))],
  };
}

function fetch(cache: string): string {
  const depends = execFileSync("apt-cache", ["depends", "linux-image-cloud-amd64"], { encoding: "utf8" });
  const name = depends
    .split("\n")
    .map((line) => line.trim().replace(/^Depends: /, ""))
    .find((one) => wanted.test(one));
  const release = wanted.exec(name ?? "")?.[1];
  if (name === undefined || release === undefined)
    throw new Error(`apt knows no kernel 6.1 of Debian 12 (apt-get update): ${depends}`);
  const work = mkdtempSync(join(cache, ".new-"));
  try {
    execFileSync("apt-get", ["download", "-qq", name], { cwd: work, stdio: ["ignore", "ignore", "pipe"] });
    const deb = readdirSync(work).find((one) => one.endsWith(".deb")) ?? "";
    execFileSync("dpkg-deb", ["-x", join(work, deb), join(work, "root")]);
    renameSync(join(work, "root"), join(cache, release));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return release;
}

function modulesUnder(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return new Map(
    files.filter((path) => path.endsWith(".ko")).map((path) => [nameOf(path), join(folder, path)]),
  );
}

/** The kernel takes `-` and `_` in a module's name for the same. */
const nameOf = (path: string): string => basename(path, ".ko").replaceAll("-", "_");

/** What `.modinfo` says (the index of depmod is made when a kernel is installed, so a package has none). */
function needs(found: ReadonlyMap<string, string>, name: string): string[] {
  const path = found.get(name.replaceAll("-", "_"));
  if (path === undefined) throw new Error(`the kernel has no module ${name}`);
  const text = readFileSync(path).toString("latin1");
  const depends = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? "";
  const others = depends.split(",").filter((one) => one !== "");
  return [...others.flatMap((one) => needs(found, one)), path];
}

import { cp, mkdir, readdir, readFile, rename, rm, statfs } from "node:fs/promises";
import { lookup } from "node:dns/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { NacreError } from "../../error.ts";
import type { Grant } from "../../egress/protocol.ts";
import { aloneIn } from "../../policy/address.ts";
import type { KitContext } from "../kit.ts";
import { isCode } from "../state.ts";
import { makeKitFolder, placeKit, recordKit, treeOf, type KitRecord } from "./kit-folder.ts";
import { configuredRegistry, findNpm, type Registry } from "./npm.ts";
import { npmFailure, type NpmKit, runNpm } from "./npm-run.ts";

/**
 * Installs a kit into `folder`: npm runs in a throw-away sandbox whose one destination is the registry that the
 * operator's npm is configured for, no package's script runs, and what came is read whole and recorded before it is
 * moved into place. Nothing of it has run by then.
 */
export async function installKit(kit: NpmKit, folder: string, context: KitContext): Promise<KitRecord> {
  const subject = `${kit.name}@${kit.version}`;
  const { cache, progress } = context;
  await mkdir(cache, { recursive: true, mode: 0o700 });
  await sweep(cache);
  await checkSpace(kit, cache);
  const npm = await findNpm();
  const registry = await configuredRegistry(npm);
  const grants = await grantsFor(registry);
  const where = `${registry.url.hostname}:${registry.port}`;
  progress({
    message: `${subject}: installing from ${where}, npm's configured registry, in a sandbox granted ${told(grants)}`,
  });

  const staging = join(cache, `.installing-${process.pid}-${randomBytes(4).toString("hex")}`);
  await makeKitFolder(staging);
  try {
    const end = await runNpm(kit, npm, registry, grants, context);
    try {
      if (end.code !== 0) throw npmFailure(subject, end, registry);
      await mkdir(treeOf(staging), { mode: 0o755 });
      await move(join(end.home, "node_modules"), join(treeOf(staging), "node_modules"));
    } finally {
      await end.dispose();
    }
    await checkVersion(kit, treeOf(staging));
    for (const path of kit.discard) await rm(join(treeOf(staging), path), { force: true });
    progress({ message: `${subject}: reading what came`, fraction: 0.95 });
    const record = await recordKit(staging, subject);
    await placeKit(staging, folder);
    progress({
      message: `${subject}: ${record.files} files, ${Math.round(record.bytes / 1e6)} MB`,
      fraction: 1,
    });
    return record;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The registry's addresses as this host's resolver gives them: on many networks a public name's are not public. */
async function grantsFor({ url, port }: Registry): Promise<readonly Grant[]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  try {
    const addresses = await lookup(host, { all: true });
    return addresses.map(({ address }) => ({
      host,
      cidr: aloneIn(address),
      port,
    }));
  } catch (error) {
    throw new NacreError(
      {
        code: "registry_unknown",
        subject: `registry ${host}`,
        message: "has no address here, and the kit is installed from it",
        hint: "check the network, or name another with npm config set registry https://…",
      },
      { cause: error },
    );
  }
}

const told = (grants: readonly Grant[]): string =>
  grants.map(({ cidr, port }) => `${cidr} port ${port}`).join(", ");

/** An older npm takes a placeholder version where it cannot have the named one, and says nothing. */
async function checkVersion(kit: NpmKit, tree: string): Promise<void> {
  const path = join(tree, "node_modules", kit.name, "package.json");
  const came = z.object({ version: z.string() }).safeParse(JSON.parse(await readFile(path, "utf8")));
  if (came.success && came.data.version === kit.version) return;
  throw new NacreError({
    code: "kit_version",
    subject: `kit ${kit.name}@${kit.version}`,
    message: `the registry gave ${came.success ? came.data.version : "something without a version"}`,
    hint: "npm config get registry shows whom it came from; a mirror may lack the version",
  });
}

async function checkSpace(kit: NpmKit, cache: string): Promise<void> {
  const { bavail, bsize } = await statfs(cache);
  if (bavail * bsize >= kit.bytes) return;
  throw new NacreError({
    code: "disk_full",
    subject: cache,
    message: `${Math.round((bavail * bsize) / 1e6)} MB are free; installing ${kit.name} needs ${Math.round(kit.bytes / 1e6)} MB`,
    hint: "free some disk space, or set NACRE_CACHE_DIR to a folder on another disk",
  });
}

/** Of installations that were killed. */
async function sweep(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = Number(/^\.installing-(\d+)-/.exec(name)?.[1]);
    if (Number.isInteger(pid) && !isAlive(pid)) await rm(join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isCode(error, "ESRCH");
  }
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isCode(error, "EXDEV")) throw error;
    await cp(from, to, { recursive: true, verbatimSymlinks: true, errorOnExist: true });
  }
}

import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Progress } from "../../lib/host/api.ts";
import { findKit, treeOf } from "../../lib/host/kits/kit-folder.ts";
import { installKit } from "../../lib/host/kits/npm-install.ts";
import type { ThrowAwayEnd, ThrowAwaySpec } from "../../lib/host/throwaway.ts";
import { temporary, write } from "./folder.ts";

const lock = JSON.stringify({
  lockfileVersion: 3,
  packages: { "node_modules/a": { version: "1.2.3", integrity: "sha512-x" } },
});
const kit = {
  name: "a",
  version: "1.2.3",
  manifest: "{}",
  lock,
  discard: ["node_modules/a/pending"],
  bytes: 1,
};

/** Plays the sandbox: what npm would have left in its home, or how it failed. The real one is in the slow tests. */
function play(files: Readonly<Record<string, string>>, end: Partial<ThrowAwayEnd> = {}) {
  const cache = join(temporary(), "kits");
  const told: Progress[] = [];
  const asked: ThrowAwaySpec[] = [];
  const dispose = vi.fn(() => Promise.resolve());
  const context = {
    cache,
    progress: (progress: Progress) => void told.push(progress),
    signal: new AbortController().signal,
    runThrowAway(spec: ThrowAwaySpec) {
      asked.push(spec);
      const home = temporary();
      write(home, files);
      spec.output("npm http fetch GET 200 https://registry.example/a/-/a-1.2.3.tgz 5ms (cache miss)\n");
      return Promise.resolve({ code: 0, tail: "", refused: [], home, dispose, ...end });
    },
  };
  return {
    cache,
    told,
    asked,
    dispose,
    folder: join(cache, "a"),
    install: () => installKit(kit, join(cache, "a"), context),
  };
}

const came = {
  "node_modules/a/package.json": '{"name":"a","version":"1.2.3"}',
  "node_modules/.bin/a": "-> ../a/a.js",
  "node_modules/a/pending": "",
  ".npm/_cacache/x": "npm's own",
};

beforeEach(() => {
  // An address and not a name: nothing is looked up.
  vi.stubEnv("npm_config_registry", "https://192.0.2.7:8443/mirror/");
});
afterEach(() => void vi.unstubAllEnvs());

describe("installing a kit", () => {
  test("leaves the tree and its record, and nothing of npm's or of its own", async () => {
    const { cache, folder, install, dispose } = play(came);
    const record = await install();
    expect(await findKit(folder)).toEqual(record);
    expect(readdirSync(treeOf(folder))).toEqual(["node_modules"]);
    expect(readdirSync(join(treeOf(folder), "node_modules/a"))).toEqual(["package.json"]);
    expect(readFileSync(join(treeOf(folder), "node_modules/a/package.json"), "utf8")).toContain("1.2.3");
    expect(readdirSync(cache)).toEqual(["a"]);
    expect(dispose).toHaveBeenCalledOnce();
  });

  test("reaches the configured registry, at the address of this host's resolver, and nothing else", async () => {
    const { asked, told, install } = play(came);
    await install();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      network: {
        registry: {
          endpoints: [{ host: "192.0.2.7", port: 8443 }],
          binaries: [{ path: "/opt/nacre/node/bin/node" }],
        },
      },
      grants: [{ host: "192.0.2.7", cidr: "192.0.2.7/32", port: 8443 }],
    });
    expect(Object.keys(asked[0]?.network ?? {})).toEqual(["registry"]);
    expect(told[0]?.message).toContain(
      "192.0.2.7:8443, npm's configured registry, in a sandbox granted 192.0.2.7/32 port 8443",
    );
  });

  test("runs no package's script, and hands nothing of the operator's npm configuration in", async () => {
    vi.stubEnv("NPM_TOKEN", "sesame-open");
    vi.stubEnv("npm_config__authToken", "sesame-open");
    const { asked, install } = play(came);
    await install();
    expect(asked[0]?.argv).toContain("--ignore-scripts");
    expect(JSON.stringify(asked[0])).not.toContain("sesame");
    const names = asked[0]?.files.map(({ name }) => name) ?? [];
    // The third where this machine's npm is told of authorities of its own.
    expect(["package.json", "package-lock.json", "authorities.pem"]).toEqual(expect.arrayContaining(names));
  });

  test("shows how far it is", async () => {
    const { told, install } = play(came);
    await install();
    expect(told.slice(1).map(({ message }) => message)).toEqual([
      "a@1.2.3: 1 of 1 packages",
      "a@1.2.3: reading what came",
      "a@1.2.3: 1 files, 0 MB",
    ]);
  });

  test("refuses another version than the named one, and keeps nothing of it", async () => {
    const placeholder = { "node_modules/a/package.json": '{"name":"a","version":"0.0.1"}' };
    const { cache, install } = play(placeholder);
    await expect(install()).rejects.toMatchObject({
      code: "kit_version",
      message: "the registry gave 0.0.1",
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  test("says what npm said, without what would act on a terminal", async () => {
    const tail =
      "npm error code E401\nnpm error \u001b[2JUnable to authenticate\nnpm error A complete log of this run can be found in: x\n";
    const { cache, install, dispose } = play({}, { code: 1, tail, refused: ["evil.example:443 no rule"] });
    await expect(install()).rejects.toMatchObject({
      code: "kit_install_failed",
      message: "npm ended with 1: code E401;  [2JUnable to authenticate; refused: evil.example:443 no rule",
      hint: expect.stringContaining("npm's tokens are not handed"),
    });
    expect(readdirSync(cache)).toEqual([]);
    expect(dispose).toHaveBeenCalledOnce();
  });

  test("without room on the disk it does not begin", async () => {
    const { asked, cache } = play(came);
    const context = {
      cache,
      progress: () => undefined,
      signal: new AbortController().signal,
      runThrowAway: () => Promise.reject(new Error("began")),
    };
    await expect(installKit({ ...kit, bytes: 1e18 }, join(cache, "a"), context)).rejects.toMatchObject({
      code: "disk_full",
    });
    expect(asked).toEqual([]);
  });

  test("removes what a killed installation left, and not that of a living one", async () => {
    const { cache, install } = play(came);
    // Process ids end at 4194304 (proc(5), pid_max).
    mkdirSync(join(cache, ".installing-4194305-aa/tree"), { recursive: true });
    mkdirSync(join(cache, `.installing-${process.ppid}-bb`));
    await install();
    expect(readdirSync(cache).sort()).toEqual([`.installing-${process.ppid}-bb`, "a"]);
  });

  test("where another was first, its tree stays", async () => {
    const { folder, install } = play(came);
    const record = await install();
    expect((await install()).digest).toBe(record.digest);
    expect(await findKit(folder)).toEqual(record);
    expect(existsSync(join(folder, "tree.jsonl"))).toBe(true);
  });
});

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engineVersion, findEngine, type EngineProgress } from "../../lib/pulumi/engine.ts";

let folder: string;
let server: Server | undefined;
const cache = () => join(folder, "cache");
const engineFolder = () => readdirSync(join(cache(), "engine"));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nacre-engine-"));
  mkdirSync(join(folder, "bin"));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const program = (path: string, version: string) =>
  writeFileSync(path, `#!/bin/sh\necho v${version}\n`, { mode: 0o755 });

/** A mirror of the releases: a tarball of a program that prints `version`, and a list that says `digest`. */
async function mirror(version: string, digest?: string): Promise<string> {
  mkdirSync(join(folder, "pulumi"));
  program(join(folder, "pulumi/pulumi"), version);
  program(join(folder, "pulumi/pulumi-language-nodejs"), version);
  const name = `pulumi-v${engineVersion}-linux-x64.tar.gz`;
  execFileSync("tar", ["-czf", join(folder, name), "-C", folder, "pulumi"]);
  const archive = readFileSync(join(folder, name));
  const sum = digest ?? createHash("sha256").update(archive).digest("hex");
  const files: Record<string, Buffer> = {
    [`/${name}`]: archive,
    [`/pulumi-${engineVersion}-checksums.txt`]: Buffer.from(
      `${"0".repeat(64)}  other.tar.gz\n${sum}  ${name}\n`,
    ),
  };
  server = createServer((request, response) => {
    const body = files[request.url ?? ""];
    response.writeHead(body ? 200 : 404, { "content-length": body?.length ?? 0 }).end(body);
  });
  await new Promise<void>((done) => server?.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe("an engine that is there", () => {
  test("on PATH is taken when it is recent enough", async () => {
    program(join(folder, "bin/pulumi"), "3.999.1");
    expect(await findEngine({ cache: cache(), path: join(folder, "bin") })).toEqual({
      path: join(folder, "bin/pulumi"),
      version: "3.999.1",
      origin: "path",
    });
  });

  test("on PATH that is too old gives way to the cache", async () => {
    program(join(folder, "bin/pulumi"), "3.200.0");
    mkdirSync(join(cache(), `engine/v${engineVersion}/bin`), { recursive: true });
    program(join(cache(), `engine/v${engineVersion}/bin/pulumi`), engineVersion);
    const engine = await findEngine({ cache: cache(), path: join(folder, "bin") });
    expect(engine.origin).toBe("cache");
  });
});

describe("an engine that is nowhere yet", () => {
  test("is downloaded, compared with its published SHA-256 and installed whole", async () => {
    const releases = await mirror(engineVersion);
    const seen: EngineProgress[] = [];
    const engine = await findEngine({
      cache: cache(),
      path: join(folder, "bin"),
      releases,
      onProgress: (p) => seen.push(p),
    });
    expect(engine.origin).toBe("download");
    expect(engineFolder()).toEqual([`v${engineVersion}`]);
    expect(readdirSync(join(cache(), `engine/v${engineVersion}`))).toEqual(["bin"]);
    expect(readdirSync(join(cache(), `engine/v${engineVersion}/bin`))).toEqual([
      "pulumi",
      "pulumi-language-nodejs",
    ]);
    expect(seen.map(({ step }) => step)).toEqual(expect.arrayContaining(["download", "verify", "install"]));
    const last = seen.findLast(({ step }) => step === "download");
    expect(last?.done).toBe(last?.total);
    expect((await findEngine({ cache: cache(), path: join(folder, "bin") })).origin).toBe("cache");
  });

  test("is not installed when the archive is not the published one", async () => {
    const releases = await mirror(engineVersion, "a".repeat(64));
    const refusal = findEngine({ cache: cache(), path: join(folder, "bin"), releases });
    await expect(refusal).rejects.toMatchObject({ code: "engine_not_found" });
    await expect(refusal).rejects.toThrow(/SHA-256 is [0-9a-f]{64}, and a{64} is published/);
    expect(engineFolder()).toEqual([]);
  });

  test("is not installed when it turns out to be another version", async () => {
    const releases = await mirror("3.1.0");
    await expect(findEngine({ cache: cache(), path: join(folder, "bin"), releases })).rejects.toThrow(
      /it says that it is 3\.1\.0/,
    );
    expect(engineFolder()).toEqual([]);
  });

  test("names each way that failed, and the fix", async () => {
    const closed = await mirror(engineVersion);
    await new Promise((done) => server?.close(done));
    const refusal = findEngine({ cache: cache(), path: join(folder, "bin"), releases: closed });
    await expect(refusal).rejects.toThrow(
      /PATH: no pulumi[^]*download: .*ECONNREFUSED[^]*build: .*go is not on PATH/,
    );
    await expect(refusal).rejects.toMatchObject({
      hint: expect.stringContaining("install Pulumi") as string,
    });
  });

  test("leaves nothing of a command that was killed", async () => {
    const dead = execFileSync("sh", ["-c", "echo $$"]).toString().trim();
    mkdirSync(join(cache(), `engine/.download-${dead}-x/bin`), { recursive: true });
    mkdirSync(join(cache(), `engine/.download-${process.pid}-x`), { recursive: true });
    await findEngine({ cache: cache(), path: join(folder, "bin"), releases: await mirror(engineVersion) });
    expect(engineFolder()).toEqual([`.download-${process.pid}-x`, `v${engineVersion}`]);
  });
});

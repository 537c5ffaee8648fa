import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { getCACertificates } from "node:tls";
import { NacreError } from "../../error.ts";
import type { OnEngineProgress } from "./progress.ts";
import { engineVersion } from "./version.ts";

/** Where Pulumi publishes its releases. */
export const officialReleases = "https://get.pulumi.com/releases/sdk/";

/** Long enough for a slow proxy to answer, short enough that a machine without a way out goes on. */
const ANSWER_MS = 15_000;
const LARGEST = 1 << 30;

/**
 * Unpacks the official release into `<directory>/bin`: the engine, and the language hosts that come with it.
 * @throws NacreError `engine_download` when it cannot be had, or when its SHA-256 is not the published one.
 */
export async function download(
  directory: string,
  options: {
    readonly releases?: string;
    readonly onProgress?: OnEngineProgress;
    readonly signal?: AbortSignal;
  },
): Promise<void> {
  const releases = options.releases ?? officialReleases;
  const archive = `pulumi-v${engineVersion}-linux-x64.tar.gz`;
  const expected = await publishedDigest(releases, archive, options.signal);
  const path = join(directory, archive);
  const actual = await fetchFile(new URL(archive, releases), path, options);
  options.onProgress?.({ step: "verify", message: "comparing its SHA-256 with the published one" });
  if (actual !== expected) {
    await rm(path, { force: true });
    throw failed(archive, `its SHA-256 is ${actual}, and ${expected} is published`);
  }
  await unpack(path, join(directory, "bin"));
  await rm(path);
}

/** From `pulumi-X-checksums.txt`, lines of `<sha256>  <file>`. */
async function publishedDigest(releases: string, archive: string, signal?: AbortSignal): Promise<string> {
  const url = new URL(`pulumi-${engineVersion}-checksums.txt`, releases);
  let text = "";
  for await (const chunk of (await get(url, signal)).setEncoding("utf8")) {
    text += chunk as string;
    if (text.length > 1 << 20) throw failed(url.href, "the list of checksums is longer than 1 MiB");
  }
  const line = text.split("\n").find((candidate) => candidate.trim().endsWith(` ${archive}`));
  const digest = line?.trim().split(/\s+/)[0]?.toLowerCase();
  if (digest === undefined || !/^[0-9a-f]{64}$/.test(digest)) {
    throw failed(url.href, `it holds no SHA-256 of ${archive}`);
  }
  return digest;
}

/** Streams `url` into `path`; resolves to the SHA-256 of what was written. */
async function fetchFile(
  url: URL,
  path: string,
  options: { readonly onProgress?: OnEngineProgress; readonly signal?: AbortSignal },
): Promise<string> {
  const response = await get(url, options.signal);
  const total = Number(response.headers["content-length"]) || undefined;
  const hash = createHash("sha256");
  let done = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      done += chunk.length;
      options.onProgress?.({
        step: "download",
        message: `downloading ${url.href}`,
        done,
        total,
        unit: "bytes",
      });
      next(done > LARGEST ? failed(url.href, "it is longer than 1 GiB") : null, chunk);
    },
  });
  try {
    await pipeline(response, count, createWriteStream(path, { mode: 0o600 }));
  } catch (error) {
    throw error instanceof NacreError ? error : failed(url.href, reasonOf(error));
  }
  return hash.digest("hex");
}

/** Honours the usual proxy variables, and trusts the system's certificates as well as Node's own. */
async function get(url: URL, signal?: AbortSignal, redirects = 3): Promise<IncomingMessage> {
  const secure = url.protocol === "https:";
  const agent = secure
    ? new https.Agent({
        proxyEnv: process.env,
        ca: [...getCACertificates("default"), ...getCACertificates("system")],
      })
    : new http.Agent({ proxyEnv: process.env });
  const response = await new Promise<IncomingMessage>((done, fail) => {
    const request = (secure ? https : http).get(url, { agent, signal }, done);
    request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`no answer in ${ANSWER_MS / 1000} s`)));
    request.on("error", fail);
  }).catch((error: unknown) => {
    throw failed(url.href, reasonOf(error));
  });
  const status = response.statusCode ?? 0;
  if (status === 200) return response;
  response.resume();
  const location = response.headers.location;
  if (status >= 300 && status < 400 && location !== undefined && redirects > 0) {
    const next = new URL(location, url);
    if (secure && next.protocol !== "https:") throw failed(url.href, `it redirects to ${next.protocol}`);
    return get(next, signal, redirects - 1);
  }
  throw failed(url.href, `HTTP ${status}`);
}

async function unpack(archive: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  const args = ["-xzf", archive, "-C", into, "--strip-components=1", "--no-same-owner"];
  const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((done, fail) => {
    const tar = spawn("tar", args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    tar.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
    tar.on("error", fail).on("close", (code) => done({ code, stderr }));
  }).catch((error: unknown) => {
    throw failed("tar", reasonOf(error));
  });
  if (code !== 0) throw failed(archive, `tar: ${stderr.trim()}`);
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const failed = (subject: string, message: string): NacreError =>
  new NacreError({ code: "engine_download", subject, message });

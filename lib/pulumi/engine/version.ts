import { execFile } from "node:child_process";

/**
 * The engine's version that Nacre installs when the machine has none, the same as the SDK's. A newer engine of the same
 * major on PATH is taken as it is; an older one lacks what the SDK or the provider asks for.
 */
export const engineVersion = "3.259.0";

/** What `<engine> version` prints, without the `v`; undefined when it cannot be run or prints no version. */
export async function versionOf(path: string, signal?: AbortSignal): Promise<string | undefined> {
  const output = await new Promise<string>((done) => {
    const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
    execFile(path, ["version"], { env, timeout: 30_000, signal }, (error, stdout) =>
      done(error ? "" : stdout),
    );
  });
  return /^v?(\d+\.\d+\.\d+)/.exec(output.trim())?.[1];
}

export function isRecentEnough(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const [needMajor = 0, needMinor = 0, needPatch = 0] = engineVersion.split(".").map(Number);
  return major === needMajor && (minor > needMinor || (minor === needMinor && patch >= needPatch));
}

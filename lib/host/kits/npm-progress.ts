import { z } from "zod";
import type { Progress } from "../api.ts";

/** The part of a `package-lock.json` (version 3) that says what is fetched. */
const lockSchema = z.object({
  lockfileVersion: z.literal(3),
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      os: z.array(z.string()).optional(),
      cpu: z.array(z.string()).optional(),
      libc: z.array(z.string()).optional(),
    }),
  ),
});

/** How many packages `npm ci` fetches here: those of the lock, but for other systems' and those that come in another. */
export function packagesIn(
  lock: string,
  system = { os: process.platform, cpu: process.arch, libc: "glibc" },
): number {
  const { packages } = lockSchema.parse(JSON.parse(lock));
  const suits = (wanted: readonly string[] | undefined, is: string): boolean =>
    wanted === undefined ||
    wanted.includes(is) ||
    (wanted.every((one) => one.startsWith("!")) && !wanted.includes(`!${is}`));
  return Object.entries(packages).filter(
    ([path, { integrity, os, cpu, libc }]) =>
      path !== "" &&
      integrity !== undefined &&
      suits(os, system.os) &&
      suits(cpu, system.cpu) &&
      suits(libc, system.libc),
  ).length;
}

/** Counts the tarballs that npm says it fetched (`--loglevel=http`), and reports each twentieth part. */
export function npmProgress(
  subject: string,
  total: number,
  report: (progress: Progress) => void,
): (text: string) => void {
  let rest = "";
  let fetched = 0;
  let told = -1;
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-4096);
    fetched += lines.filter((line) => /^npm http fetch GET 200 \S+\.tgz\s/.test(line)).length;
    const part = Math.floor((20 * Math.min(fetched, total)) / total);
    if (part === told) return;
    told = part;
    report({
      message: `${subject}: ${Math.min(fetched, total)} of ${total} packages`,
      // Unpacking and the digest come after the last package.
      fraction: (0.9 * Math.min(fetched, total)) / total,
    });
  };
}

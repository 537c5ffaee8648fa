import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** `lib` of a checkout, `dist` of the package. */
export const codeRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** A program of ours, with the extension that this very file has (`.ts` of a checkout, `.js` of the package). */
export const program = (path: string): string => join(codeRoot, `${path}${extname(import.meta.url)}`);

/**
 * Which code a process runs: names, sizes and times of what the daemon and its egress load. A client of another build
 * replaces the daemon; sandboxes go on meanwhile.
 */
export function build(): string {
  const hash = createHash("sha256");
  for (const folder of ["host", "egress", "router", "policy", "synth"]) {
    const entries = readdirSync(join(codeRoot, folder), { recursive: true, encoding: "utf8" }).sort();
    for (const entry of entries) {
      const found = statSync(join(codeRoot, folder, entry));
      if (found.isFile()) hash.update(`${folder}/${entry} ${found.size} ${found.mtimeMs}\n`);
    }
  }
  return hash.digest("hex").slice(0, 16);
}

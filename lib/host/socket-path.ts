import { closeSync, constants, openSync } from "node:fs";
import { basename, dirname } from "node:path";

/**
 * A Unix socket's address holds 107 bytes; a state directory's path may be longer. Through the folder's descriptor
 * (`/proc/self/fd/N/name`) it always fits, and a folder that is swapped meanwhile changes nothing.
 */
export function socketPath(path: string): { readonly address: string; readonly release: () => void } {
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return { address: `/proc/self/fd/${folder}/${basename(path)}`, release: () => closeSync(folder) };
}

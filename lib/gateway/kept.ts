import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { privateFolder, readText, syncFolder, writeAtomic } from "../host/state.ts";

/** Where a gateway's kubeconfig is kept: in the state directory, for this user alone. */
export const kubeconfigPath = (state: string, name: string): string =>
  join(state, "gateways", name, "kubeconfig");

/** Whole or not at all; 0600 in folders of 0700. */
export async function keepKubeconfig(state: string, name: string, text: string): Promise<string> {
  const path = kubeconfigPath(state, name);
  await privateFolder(state);
  await privateFolder(join(state, "gateways"));
  await privateFolder(join(state, "gateways", name));
  await writeAtomic(path, text);
  return path;
}

export interface Kept {
  readonly text: string;
  /** Whether others than its owner may read it. */
  readonly open: boolean;
}

export async function keptKubeconfig(state: string, name: string): Promise<Kept | undefined> {
  const path = kubeconfigPath(state, name);
  const text = await readText(path);
  if (text === undefined) return undefined;
  const { mode } = await lstat(path);
  return { text, open: (mode & 0o077) !== 0 };
}

export async function dropKubeconfig(state: string, name: string): Promise<void> {
  await rm(join(state, "gateways", name), { recursive: true, force: true });
  await syncFolder(join(state, "gateways")).catch(() => undefined); // where there never was one
}

import { randomUUID } from "node:crypto";
import { link, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { isCode, readJson, writeJson } from "./state.ts";

const schema = z.strictObject({ machine: z.uuid() });

/** The random id that a state directory keeps (`/etc/machine-id` is often an image's). Undefined in one never used. */
export async function machineId(state: string): Promise<string | undefined> {
  return (await readJson(join(state, "machine"), schema))?.machine;
}

/** The same, made if there is none; of two that make it at once one wins, and both return it. */
export async function claimMachineId(state: string): Promise<string> {
  const found = await machineId(state);
  if (found !== undefined) return found;
  const path = join(state, "machine");
  const candidate = `${path}.${randomUUID()}`;
  await writeJson(candidate, { machine: randomUUID() });
  try {
    await link(candidate, path);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  } finally {
    await unlink(candidate);
  }
  return claimMachineId(state);
}

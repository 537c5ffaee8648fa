import { z } from "zod";
import { allowSchema, blockSchema, type Allow, type Block } from "../egress/protocol.ts";
import { sandboxPaths } from "./paths.ts";
import { readJson, writeJson } from "./state.ts";

/**
 * What people said above the base policy: allows (they expire) and blocks (they stay until unblocked). A file of its
 * own, synced before it is pushed: it survives `up`, rollback and restart.
 */
const schema = z.strictObject({
  /** Counts the policies that were pushed to the egress, whatever changed. */
  revision: z.int().nonnegative(),
  allows: z.array(allowSchema),
  blocks: z.array(blockSchema),
});
export type Overrides = z.infer<typeof schema>;

export async function readOverrides(state: string, id: string): Promise<Overrides> {
  return (
    (await readJson(sandboxPaths(state, id).overrides, schema)) ?? { revision: 0, allows: [], blocks: [] }
  );
}

/** Expired allows are left out: the egress has dropped them by itself. */
export async function writeOverrides(state: string, id: string, overrides: Overrides): Promise<Overrides> {
  const live = { ...overrides, allows: overrides.allows.filter(({ until }) => until > Date.now()) };
  await writeJson(sandboxPaths(state, id).overrides, live);
  return live;
}

/** A new allow replaces one of the same host, port and program. */
export const withAllow = (overrides: Overrides, allow: Allow): Overrides => ({
  ...overrides,
  allows: [
    ...overrides.allows.filter(
      ({ host, port, binary }) => host !== allow.host || port !== allow.port || binary !== allow.binary,
    ),
    allow,
  ],
});

export const withoutAllows = (overrides: Overrides, ids: readonly string[]): Overrides => ({
  ...overrides,
  allows: overrides.allows.filter(({ id }) => !ids.includes(id)),
});

export const withBlock = (overrides: Overrides, block: Block): Overrides => ({
  ...overrides,
  blocks: [...overrides.blocks.filter((found) => !sameBlock(found, block)), block],
});

/** `all` ends the block of everything; those of single hosts stay. */
export const withoutBlock = (overrides: Overrides, block: Block): Overrides => ({
  ...overrides,
  blocks: overrides.blocks.filter((found) => !sameBlock(found, block)),
});

export const sameBlock = (a: Block, b: Block): boolean =>
  "all" in a ? "all" in b : !("all" in b) && a.host === b.host;

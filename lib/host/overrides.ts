import { z } from "zod";
import { allowSchema, blockSchema, type Allow, type Block } from "../egress/protocol.ts";
import { liveNetworkSchema } from "./live-network.ts";
import { sandboxPaths } from "./paths.ts";
import { mostRevisions, revisionSchema } from "./revisions.ts";
import { readJson, writeJson } from "./state.ts";

/**
 * What people said by command: a base in place of the blueprint's, and above it allows (they expire) and blocks (they
 * stay until unblocked); with how it came to be. A file of its own, synced before it is pushed: it survives `up` and
 * restart, and change and revision are in it together or not at all.
 */
const schema = z.strictObject({
  /** The version of the policy that is wanted now. */
  revision: z.int().nonnegative(),
  /** Null: the blueprint's. */
  live: liveNetworkSchema.nullable().default(null),
  allows: z.array(allowSchema),
  blocks: z.array(blockSchema),
  /** Oldest first. */
  revisions: z.array(revisionSchema).max(mostRevisions.count).default([]),
});
export type Overrides = z.infer<typeof schema>;

/** What an egress is told beside the blueprint. */
export type Layers = Pick<Overrides, "live" | "allows" | "blocks">;

export async function readOverrides(state: string, id: string): Promise<Overrides> {
  return (
    (await readJson(sandboxPaths(state, id).overrides, schema)) ?? {
      revision: 0,
      live: null,
      allows: [],
      blocks: [],
      revisions: [],
    }
  );
}

export const writeOverrides = (state: string, id: string, overrides: Overrides): Promise<void> =>
  writeJson(sandboxPaths(state, id).overrides, overrides);

/** Those that have not expired: the egress has dropped the others by itself. */
export const unexpired = (allows: readonly Allow[]): Allow[] =>
  allows.filter(({ until }) => until > Date.now());

/** A new allow replaces one of the same. */
export const withAllow = (layers: Layers, allow: Allow): Layers => ({
  ...layers,
  allows: [...layers.allows.filter((found) => !opensSame(found, allow)), allow],
});

type Opened = Omit<Allow, "id" | "until">;

/** The same host, port and program, and of one request the same method, path and query. */
export const opensSame = (a: Opened, b: Opened): boolean =>
  a.host === b.host &&
  a.port === b.port &&
  a.binary === b.binary &&
  a.method === b.method &&
  a.path === b.path &&
  a.query === b.query;

export const withoutAllows = (layers: Layers, ids: readonly string[]): Layers => ({
  ...layers,
  allows: layers.allows.filter(({ id }) => !ids.includes(id)),
});

export const withBlock = (layers: Layers, block: Block): Layers => ({
  ...layers,
  blocks: [...layers.blocks.filter((found) => !sameBlock(found, block)), block],
});

/** `all` ends the block of everything; those of single hosts stay. */
export const withoutBlock = (layers: Layers, block: Block): Layers => ({
  ...layers,
  blocks: layers.blocks.filter((found) => !sameBlock(found, block)),
});

export const sameBlock = (a: Block, b: Block): boolean =>
  "all" in a ? "all" in b : !("all" in b) && a.host === b.host;

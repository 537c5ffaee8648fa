import type { Block } from "../egress/protocol.ts";
import { NacreError } from "../error.ts";
import { Generation } from "./generation.ts";
import { readOverrides, withBlock, writeOverrides } from "./overrides.ts";
import { sandboxPaths } from "./paths.ts";

/** No process tree has this number: whatever runs is another, and is ended. */
const none = 0;

/**
 * The emergency stop of a sandbox whose record cannot be read. This daemon gives it no network, having no policy for
 * it; so what runs of it is ended, found by its init's socket. The block is kept: it holds when the record is mended.
 * @throws NacreError what is wrong with the record, where a host alone was to be blocked
 */
export async function blockBroken(state: string, id: string, what: Block, broken: unknown) {
  const began = performance.now();
  if (!("all" in what)) throw withHint(broken, `nacre block ${id} --all ends its processes`);
  await Generation.adopt(sandboxPaths(state, id).control, none, null);
  const before = await readOverrides(state, id);
  const after = { ...before, ...withBlock(before, what), revision: before.revision + 1 };
  await writeOverrides(state, id, after);
  return { revision: after.revision, enforcedMs: performance.now() - began, stopped: true as const };
}

function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof NacreError)) return error;
  const { code, subject, message } = error;
  return new NacreError({ code, subject, message, hint });
}

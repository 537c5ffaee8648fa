import type net from "node:net";
import { limits } from "./limits.ts";

/**
 * Joins two connections: back-pressure both ways, a finished side is passed on as finished (half-close), an error on
 * one is a reset on the other. What upstream says flows at once; what the agent says does once `opening` gives its
 * first bytes back, checked. Resolves when both are closed; where `opening` rejects, both are reset, and so does this.
 */
export async function splice(
  agent: net.Socket,
  upstream: net.Socket,
  opening: Promise<Buffer>,
): Promise<void> {
  const sides = [agent, upstream] as const;
  const reset = (): void => {
    for (const side of sides) if (!side.destroyed) side.resetAndDestroy();
  };
  const closed = sides.map((side) => closing(side, reset));
  if (sides.some((side) => side.destroyed)) reset();
  for (const side of sides) {
    side.setTimeout(limits.idleMs, reset);
    side.once("end", () => {
      for (const each of sides) each.setTimeout(limits.halfClosedMs);
    });
  }
  upstream.pipe(agent);
  try {
    const bytes = await Promise.race([opening, closed[1]]);
    if (bytes !== undefined && !upstream.destroyed) {
      if (bytes.length > 0) upstream.write(bytes);
      if (agent.readableEnded) upstream.end();
      else agent.pipe(upstream);
    }
  } catch (error) {
    reset();
    throw error;
  } finally {
    await Promise.all(closed);
  }
}

/** Settles at the socket's end. One that goes before the other side finished takes the other along. */
async function closing(side: net.Socket, reset: () => void): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  if (side.closed) return;
  side.once("error", reset);
  side.once("close", (failed) => {
    if (failed || !side.readableEnded) reset();
    resolve(undefined);
  });
  await promise;
}

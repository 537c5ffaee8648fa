import type { Cidr } from "../policy/address.ts";
import { blockOf } from "../policy/decide.ts";
import type { Denied } from "../policy/decision.ts";
import { Refused } from "../policy/refused.ts";
import type { Dial } from "../router/upstream.ts";
import type { LivePolicy } from "./live-policy.ts";
import type { Tunnels } from "./tunnels.ts";
import type { Upstreams } from "./upstreams.ts";

/** What a connection out is decided by, checked by, and cut through. */
export interface WayOut {
  readonly policy: LivePolicy;
  readonly upstreams: Upstreams;
  readonly tunnels: Tunnels;
}

/**
 * The egress' own connections: resolved and checked as the agent's are, and cut by a block of the host, or of all,
 * and where a grant that they need is taken back. What is blocked is not even looked up, and a block that comes meanwhile counts.
 * @param within the blocks that the addresses must lie in; `undefined`: any that the guard lets by
 */
export function guardedDial({ policy, upstreams, tunnels }: WayOut, within?: readonly Cidr[]): Dial {
  return async (where, signal) => {
    const blocked = (): Denied | undefined => blockOf(policy.current, where.host);
    const before = blocked();
    if (before !== undefined) throw new Refused(before, where);
    const socket = await upstreams.connect(where, signal, within);
    const meanwhile = blocked();
    if (meanwhile !== undefined) {
      socket.resetAndDestroy();
      throw new Refused(meanwhile, where);
    }
    const denied = (): Denied | undefined => blocked() ?? upstreams.denied(where, socket.remoteAddress);
    const forget = tunnels.add({ denied, cut: () => socket.resetAndDestroy() });
    socket.once("close", forget);
    return socket;
  };
}

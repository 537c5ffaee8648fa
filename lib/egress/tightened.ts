import { contains, parseAddress, unmapped } from "../policy/address.ts";
import type { Carried, Denied, Destination } from "../policy/decision.ts";
import { isStricter } from "../policy/place.ts";

/**
 * Why a connection that was opened under `before` must end under `now`, which allows its like: it would be looked into
 * from its first byte on, or go elsewhere. What was let by before that would else stay a way round the new policy.
 * @param address what was dialled; `undefined`: nothing yet, or it is asked request by request
 */
export function tightened(
  before: Carried,
  now: Carried,
  where: Destination,
  address: string | undefined,
): Denied | undefined {
  const refused = (layer: Denied["layer"], reason: string): Denied => {
    return { verdict: "deny", rule: now.rule, layer, reason, fix: { text: "connect anew" } };
  };
  if (isStricter(now.inspect, before.inspect))
    return refused(
      now.inspect === "http" ? "http" : "tls",
      `${where.host} is looked into now, and this connection was opened before`,
    );
  const dialled = address === undefined ? undefined : parseAddress(address);
  if (dialled === undefined || now.within === undefined) return undefined;
  return now.within.some((block) => contains(block, unmapped(dialled)))
    ? undefined
    : refused("address", `${where.host} was reached at ${dialled.text}, which allowed_ips does not have now`);
}

import { OwnAddresses } from "../egress/own-addresses.ts";
import { NacreError } from "../error.ts";
import { type Cidr, type IpAddress, parseAddress } from "../policy/address.ts";
import type { Denied, Destination } from "../policy/decision.ts";
import { guard, readGrants } from "../policy/guard.ts";
import { parseHostPattern } from "../policy/host-pattern.ts";
import type { Operator } from "./operator.ts";
import { grantHint } from "./operator.ts";

/**
 * Why the address guard refuses a literal address whatever a rule says. Undefined where it lets it pass, and for a
 * name: what that answers with is known when it is dialled.
 */
export function guarded(
  { host, port }: Destination,
  { grants }: Pick<Operator, "grants">,
): Denied | undefined {
  const pattern = parseHostPattern(host);
  const address = "kind" in pattern && pattern.kind === "address" ? parseAddress(pattern.text) : undefined;
  return address && guardedAnswers({ host: address.text, port }, [address], { grants });
}

/** The same for a name that would answer with these addresses. @param within of the rule: `allowed_ips` */
export function guardedAnswers(
  where: Destination,
  answers: readonly IpAddress[],
  { grants }: Pick<Operator, "grants">,
  within?: readonly Cidr[],
): Denied | undefined {
  const world = { own: new OwnAddresses().now(), grants: readGrants(grants) };
  const found = guard(where, answers, world, within);
  return "verdict" in found ? found : undefined;
}

/** @throws NacreError `address_guarded`: a rule would promise what the guard does not give */
export function refuseGuarded(where: Destination, operator: Pick<Operator, "grants" | "file">): void {
  const refused = guarded(where, operator);
  if (refused === undefined) return;
  throw new NacreError({
    code: "address_guarded",
    subject: `${where.host}:${where.port}`,
    message: `${refused.reason}: the address guard refuses it whatever a rule says`,
    hint: guardFix(refused, operator.file),
  });
}

/** What lifts the guard, where anything does. */
export const guardFix = ({ fix }: Pick<Denied, "fix">, file: string): string =>
  fix.grant === undefined ? fix.text : grantHint([fix.grant], file);

import { type AddressClass, classify } from "./address-class.ts";
import { type Cidr, contains, type IpAddress, parseCidr, unmapped } from "./address.ts";
import type { Denied, Destination } from "./decision.ts";
import { exactHost, hostPatternProblem } from "./host-pattern.ts";
import { NacreError } from "../error.ts";

declare const checked: unique symbol;

/** An address that passed the guard. Only `guard()` makes one, and dialling takes nothing else. */
export type CheckedAddress = IpAddress & { readonly [checked]: true };

/** The operator's word that a name may answer from addresses that are not public, at one port. */
export interface Grant {
  readonly host: string;
  readonly port: number;
  readonly cidr: Cidr;
}

/** Reads grants as `host.yaml` has them. The name is exact; a bad one is an error, never ignored. */
export function readGrants(
  written: readonly { readonly host: string; readonly cidr: string; readonly port: number }[],
): Grant[] {
  return written.map(({ host, cidr, port }) => {
    const name = exactHost(host);
    if (name === undefined) {
      throw badGrant(host, hostPatternProblem(host)?.reason ?? "a grant takes no wildcard", "name one host");
    }
    const block = parseCidr(cidr);
    if (block === undefined) {
      throw badGrant(
        host,
        `"${cidr}" is not a block of addresses`,
        "write one as 10.1.2.3/32, no bits set behind it",
      );
    }
    return { host: name, port, cidr: block };
  });
}

/** What the guard has to know about the machine that dials. */
export interface World {
  /** The host's own addresses, read live. */
  readonly own: readonly IpAddress[];
  readonly grants: readonly Grant[];
  /** The block of addresses that stand for names: nothing ever leaves for it. */
  readonly pool?: Cidr;
}

/**
 * All of the answers, or none: a name that answers with a public and a private address is refused whole, since that is
 * what rebinding looks like. The host's own addresses are never public, whatever block they are from. A grant that
 * is wider than one address does not reach a metadata service.
 * @param within blocks that every address must lie in besides: `allowed_ips`
 */
export function guard(
  where: Destination,
  answers: readonly IpAddress[],
  world: World,
  within?: readonly Cidr[],
): readonly CheckedAddress[] | Denied {
  const addresses = answers.map(unmapped);
  for (const address of addresses) {
    const found = classIn(world, address);
    if (found === "public" || isGranted(where, address, found, world.grants)) continue;
    return refused(where, address, found);
  }
  const outside = within && addresses.find((address) => !within.some((block) => contains(block, address)));
  if (outside !== undefined) return elsewhere(where, outside);
  return addresses as CheckedAddress[];
}

function classIn(world: World, address: IpAddress): AddressClass | "own" | "synthetic" {
  if (world.pool !== undefined && contains(world.pool, address)) return "synthetic";
  const found = classify(address);
  return found === "public" && world.own.some((own) => same(unmapped(own), address)) ? "own" : found;
}

function isGranted(where: Destination, address: IpAddress, found: string, grants: readonly Grant[]): boolean {
  return grants.some(
    (grant) =>
      grant.host === where.host &&
      grant.port === where.port &&
      contains(grant.cidr, address) &&
      (found !== "metadata" || grant.cidr.bits === (address.family === 4 ? 32 : 128)),
  );
}

function refused(where: Destination, address: IpAddress, found: string): Denied {
  const kind = found === "own" ? "an address of this host" : `${article(found)} ${found} address`;
  return {
    verdict: "deny",
    layer: "address",
    reason:
      where.host === address.text
        ? `${address.text} is ${kind}`
        : `${where.host} answers with ${address.text}, ${kind}`,
    fix: found === "metadata" ? noFix : grantFix(where, address),
  };
}

function elsewhere(where: Destination, { text }: IpAddress): Denied {
  return {
    verdict: "deny",
    layer: "address",
    reason: `${where.host} answers with ${text}, which allowed_ips of its rule does not have`,
    fix: { text: `if ${text} is right, add it to allowed_ips` },
  };
}

const noFix = { text: "none: a metadata service gives away the machine's own credentials" };

function grantFix({ host, port }: Destination, address: IpAddress): Denied["fix"] {
  const cidr = `${address.text}/${address.family === 4 ? 32 : 128}`;
  return {
    text: `if that is your own network, the operator grants it in host.yaml: grants: [{ host: ${host}, cidr: ${cidr}, port: ${port} }]`,
    grant: { host, cidr, port },
  };
}

function same(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? "an" : "a";
}

function badGrant(host: string, message: string, hint: string): NacreError {
  return new NacreError({ code: "grant_invalid", subject: `grant ${host}`, message, hint });
}

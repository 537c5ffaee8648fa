import type net from "node:net";
import { type Cidr, contains, type IpAddress } from "../policy/address.ts";
import type { Denied, Destination } from "../policy/decision.ts";
import { type Grant, guard } from "../policy/guard.ts";
import { Refused } from "../policy/refused.ts";
import { dial } from "./dial.ts";
import type { OwnAddresses } from "./own-addresses.ts";
import type { Resolver } from "./resolve.ts";

/** The way out, the same for what an agent dials and for what the router does: resolve, check, dial what was checked. */
export class Upstreams {
  readonly #resolver: Resolver;
  readonly #own: OwnAddresses;
  readonly #pool: Cidr | undefined;
  #grants: readonly Grant[];

  constructor(resolver: Resolver, own: OwnAddresses, grants: readonly Grant[], pool?: Cidr) {
    this.#resolver = resolver;
    this.#own = own;
    this.#grants = grants;
    this.#pool = pool;
  }

  setGrants(grants: readonly Grant[]): void {
    this.#grants = grants;
  }

  /** Whether the operator granted this name and port something. */
  isGranted(where: Destination): boolean {
    return this.#grants.some(({ host, port }) => host === where.host && port === where.port);
  }

  /**
   * @param within blocks that every address must lie in, beside what the guard asks
   * Throws `Refused` for an address that the guard denies, `Unreachable` where nothing answers.
   */
  async connect(where: Destination, signal: AbortSignal, within?: readonly Cidr[]): Promise<net.Socket> {
    const answers = await this.#resolver.addresses(where.host);
    const checked = guard(where, answers, { own: this.#own.now(), grants: this.#grants, pool: this.#pool });
    if ("verdict" in checked) throw new Refused(checked, where);
    const outside =
      within === undefined
        ? undefined
        : checked.find((address) => !within.some((block) => contains(block, address)));
    if (outside !== undefined) throw new Refused(elsewhere(where, outside), where);
    return await dial(where.host, where.port, checked, signal);
  }
}

function elsewhere(where: Destination, { text }: IpAddress): Denied {
  return {
    verdict: "deny",
    layer: "address",
    reason: `${where.host} answers with ${text}, which allowed_ips of its rule does not have`,
    fix: { text: `if ${text} is right, add it to allowed_ips` },
  };
}

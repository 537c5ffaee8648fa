import type net from "node:net";
import { type Cidr, parseAddress } from "../policy/address.ts";
import type { Denied, Destination } from "../policy/decision.ts";
import { type Grant, guard, type World } from "../policy/guard.ts";
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
    const checked = guard(where, answers, this.#world(), within);
    if ("verdict" in checked) throw new Refused(checked, where);
    const socket = await dial(where.host, where.port, checked, signal);
    const meanwhile = this.denied(where, socket.remoteAddress);
    if (meanwhile === undefined) return socket;
    socket.resetAndDestroy();
    throw new Refused(meanwhile, where);
  }

  /** Why what was dialled at `address` would not be now: a grant was taken back, or the address is this host's own. */
  denied(where: Destination, address: string | undefined): Denied | undefined {
    const dialled = address === undefined ? undefined : parseAddress(address);
    if (dialled === undefined) return undefined;
    const checked = guard(where, [dialled], this.#world());
    return "verdict" in checked ? checked : undefined;
  }

  #world(): World {
    return { own: this.#own.now(), grants: this.#grants, pool: this.#pool };
  }
}

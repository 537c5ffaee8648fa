import dns from "node:dns";
import { type IpAddress, parseAddress } from "../policy/address.ts";
import { limits } from "./limits.ts";
import { Recent } from "./recent.ts";
import { Unreachable } from "./unreachable.ts";

/** Answers of one name that are looked at; the rest is dropped before the guard sees any. */
const answers = 32;

/**
 * The environment that keeps the resolver's search list out (resolv.conf(5)): a name is what the policy says, whole.
 * To be set before the first lookup of the process.
 */
export const resolverEnvironment: Readonly<Record<string, string>> = { LOCALDOMAIN: "." };

/**
 * The system's own resolver (hosts file, nsswitch), asked after the decision only. Askers of the same name at the same
 * time share one lookup, and those that come within two seconds its answer: programs open connections in bursts, and a
 * lookup takes as long as all the rest. What is kept is addresses alone; they are checked anew each time.
 */
export class Resolver {
  readonly #running = new Map<string, Promise<readonly IpAddress[]>>();
  readonly #kept = new Recent<{ readonly addresses: readonly IpAddress[]; readonly until: number }>(
    limits.resolved,
  );

  async addresses(host: string): Promise<readonly IpAddress[]> {
    const literal = parseAddress(host);
    if (literal !== undefined) return [literal];
    const kept = this.#kept.get(host);
    if (kept !== undefined && performance.now() < kept.until) return kept.addresses;
    const running = this.#running.get(host);
    if (running !== undefined) return await running;
    const lookup = withTimeout(host, lookUp(host)).finally(() => this.#running.delete(host));
    this.#running.set(host, lookup);
    const addresses = await lookup;
    this.#kept.keep(host, { addresses, until: performance.now() + limits.resolvedMs });
    return addresses;
  }
}

async function lookUp(host: string): Promise<readonly IpAddress[]> {
  let found: dns.LookupAddress[];
  try {
    found = await dns.promises.lookup(host, { all: true, order: "verbatim" });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EAI_FAIL";
    throw new Unreachable(host, `looking up ${host} failed: ${code}`);
  }
  const parsed = found.slice(0, answers).map(({ address }) => parseAddress(address));
  const addresses = parsed.filter((address) => address !== undefined);
  // An answer that cannot be read (a zone, say) cannot be checked either.
  if (addresses.length < parsed.length || addresses.length === 0) {
    throw new Unreachable(host, `${host} answers with what is no address that could be checked`);
  }
  return addresses;
}

async function withTimeout<T>(host: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Unreachable(host, `looking up ${host} took longer than ${limits.resolveMs / 1000} s`)),
    limits.resolveMs,
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

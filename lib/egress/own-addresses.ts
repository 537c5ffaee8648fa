import os from "node:os";
import { type IpAddress, parseAddress } from "../policy/address.ts";

/** Milliseconds that a reading serves: an address that comes up is known to the next connection. */
const freshMs = 500;

/** The addresses of this host, as its interfaces have them now. */
export class OwnAddresses {
  #read = 0;
  #addresses: readonly IpAddress[] = [];

  now(): readonly IpAddress[] {
    if (performance.now() - this.#read > freshMs || this.#read === 0) {
      this.#addresses = Object.values(os.networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .map(({ address }) => parseAddress(address.replace(/%.*$/, "")))
        .filter((address) => address !== undefined);
      this.#read = performance.now();
    }
    return this.#addresses;
  }
}

import type net from "node:net";
import { type IpAddress, parseAddress, unmapped } from "../policy/address.ts";
import type { Destination } from "../policy/decision.ts";

/** A connection that the sandbox's kernel handed over, and what it was dialled for. */
export interface Captured {
  readonly agent: net.Socket;
  readonly where: Destination;
  /** Aborted once the agent is gone or the policy cut the connection. */
  readonly ended: AbortController;
  /** It waits no longer: carried, refused or failed. To be called once at the least. */
  readonly settled: () => void;
}

/** What the agent dialled: a transparent socket's own address. */
export function dialledBy(agent: net.Socket): { address: IpAddress; port: number } | undefined {
  const { localAddress, localPort } = agent;
  const address = localAddress === undefined ? undefined : parseAddress(localAddress);
  if (address === undefined || localPort === undefined) return undefined;
  return { address: unmapped(address), port: localPort };
}

/** Counts the connections that are not decided yet. */
export class WaitingRoom {
  readonly #seats: number;
  #taken = 0;

  constructor(seats: number) {
    this.#seats = seats;
  }

  /** More came than there are seats. */
  get isFull(): boolean {
    return this.#taken > this.#seats;
  }

  admit(agent: net.Socket, where: Destination): Captured {
    const ended = new AbortController();
    // A reason of our own: else each end makes an error with its stack, which nobody reads.
    agent.once("close", () => ended.abort("the agent is gone"));
    let waits = true;
    this.#taken++;
    const settled = (): void => {
      if (waits) this.#taken--;
      waits = false;
    };
    return { agent, where, ended, settled };
  }
}

import net from "node:net";
import type { CheckedAddress } from "../policy/guard.ts";
import { limits } from "./limits.ts";
import { Unreachable } from "./unreachable.ts";

/**
 * Connects to the first of the addresses that answers (RFC 8305): families take turns, the next is tried beside the
 * one before after 250 ms or at its failure. Only checked addresses, so what was checked is what is dialled.
 */
export async function dial(
  host: string,
  port: number,
  addresses: readonly CheckedAddress[],
  signal: AbortSignal,
): Promise<net.Socket> {
  const attempts = new Set<net.Socket>();
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const waiting = interleaved(addresses);
  let failure = "no address";
  let next: NodeJS.Timeout | undefined;
  const attempt = (): void => {
    clearTimeout(next);
    const address = waiting.shift();
    if (address === undefined) {
      if (attempts.size === 0) reject(new Unreachable(host, `${host}:${port} cannot be reached: ${failure}`));
      return;
    }
    const socket = net.connect({
      host: address.text,
      port,
      family: address.family,
      allowHalfOpen: true,
      noDelay: true,
    });
    attempts.add(socket);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      failure = `${address.text}: ${error.code ?? error.message}`;
      attempts.delete(socket);
      attempt();
    });
    next = setTimeout(attempt, limits.attemptMs);
  };
  const late = setTimeout(
    () => reject(new Unreachable(host, `${host}:${port} did not answer within ${limits.dialMs / 1000} s`)),
    limits.dialMs,
  );
  const abort = (): void => reject(new Unreachable(host, "given up: the other side is gone"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    else attempt();
    const winner = await promise;
    attempts.delete(winner);
    winner.removeAllListeners("error");
    // The caller is told about the rest of its life; until it listens, an error must not end the process.
    winner.on("error", () => undefined);
    return winner;
  } finally {
    clearTimeout(late);
    clearTimeout(next);
    signal.removeEventListener("abort", abort);
    waiting.length = 0;
    for (const socket of attempts)
      socket
        .removeAllListeners()
        .on("error", () => undefined)
        .destroy();
  }
}

/** IPv6 first, then by turns. */
function interleaved(addresses: readonly CheckedAddress[]): CheckedAddress[] {
  const six = addresses.filter(({ family }) => family === 6);
  const four = addresses.filter(({ family }) => family === 4);
  const order: CheckedAddress[] = [];
  for (let index = 0; index < Math.max(six.length, four.length); index++) {
    order.push(...six.slice(index, index + 1), ...four.slice(index, index + 1));
  }
  return order;
}

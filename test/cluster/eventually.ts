import { setTimeout as sleep } from "node:timers/promises";

/**
 * The first answer of `probe` that is not undefined, asked every 100 ms.
 * @throws Error that names what did not come, with the last error of `probe`.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  milliseconds = 30_000,
): Promise<T> {
  const end = Date.now() + milliseconds;
  let last: unknown;
  while (Date.now() < end) {
    const found = await probe().catch((error: unknown) => {
      last = error;
      return undefined;
    });
    if (found !== undefined) return found;
    await sleep(100);
  }
  throw new Error(`${what}: not within ${milliseconds / 1000} s`, { cause: last });
}

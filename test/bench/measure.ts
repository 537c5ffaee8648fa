/** The q-th part of the samples is not above it; 0.5 is the median. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) throw new Error("nothing was measured");
  const sorted = samples.toSorted((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]] as [number, number];
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);
export const p95 = (samples: readonly number[]): number => quantile(samples, 0.95);

/** Does it once. The result is the time that it took, in milliseconds. */
export type Measured = () => number | Promise<number>;

/**
 * Takes turns, and every second round in the other order (or each in a random one), so that what else the machine does
 * meets all alike. The first rounds warm caches up and do not count.
 */
export async function interleaved<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, Measured>>,
  { warm = 3, order = "turned" }: { readonly warm?: number; readonly order?: "turned" | "random" } = {},
): Promise<Record<Name, number[]>> {
  const entries = Object.entries<Measured>(contenders) as [Name, Measured][];
  const samples = Object.fromEntries(entries.map(([name]) => [name, []])) as unknown as Record<
    Name,
    number[]
  >;
  for (let round = -warm; round < rounds; round++) {
    const turned = round % 2 === 0 ? entries : entries.toReversed();
    for (const [name, measured] of order === "random" ? shuffled(entries) : turned) {
      const time = await measured();
      if (round >= 0) samples[name].push(time);
    }
  }
  return samples;
}

export function shuffled<T>(all: readonly T[]): T[] {
  const order = [...all];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [order[at], order[other]] = [order[other] as T, order[at] as T];
  }
  return order;
}

/** The milliseconds that `work` takes. */
export async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

import { median, shuffled } from "../measure.ts";
import type { Row } from "../report.ts";
import { type Carried, load, type Load } from "./load.ts";
import type { Stage } from "./stage.ts";

const rounds = 5;
const seconds = 2;

export interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly load: Omit<Load, "connections" | "seconds">;
}

/** Every contender carries the same load, in turns and random order; the first round warms up and does not count. */
export async function inTurns(
  stage: Stage,
  contenders: readonly Contender[],
  connections: number,
): Promise<ReadonlyMap<string, readonly Carried[]>> {
  const results = new Map<string, Carried[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, pid, load: what } of shuffled(contenders)) {
      const carried = await load(stage, pid, { ...what, connections, seconds });
      if (round >= 0) results.get(name)?.push(carried);
    }
  }
  return results;
}

/** Ours beside one peer's; `least` is the ratio that is aimed at. */
export function rateRow(
  what: string,
  ours: readonly Carried[],
  peer: readonly Carried[],
  least?: number,
): Row {
  // Round by round, since what else the machine does changes from one to the next.
  const ratio = median(ours.map(({ rate }, round) => rate / (peer[round]?.rate ?? NaN)));
  return {
    what,
    ours: shown(ours),
    peer: shown(peer),
    ratio,
    ...(least === undefined ? {} : { goal: `≥ ${least}x`, met: ratio >= least }),
    note: `processor a request: ours ${cost(ours)}, peer ${cost(peer)}; median ratio of ${rounds} rounds of ${seconds} s each`,
  };
}

const shown = (all: readonly Carried[]): string => `${Math.round(median(all.map(({ rate }) => rate)))}/s`;
const cost = (all: readonly Carried[]): string => `${Math.round(median(all.map((each) => each.cost)))} µs`;

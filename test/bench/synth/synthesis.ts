import { milliseconds, type Bench, type Row } from "../report.ts";
import { cpuOf, each, sandboxes, shown, take } from "./take.ts";
import type { Taken } from "./measured.ts";
import type { Work } from "./work.ts";

const GOAL = 2_000;
const AT_LEAST = 5_000;
/** A sandbox among many may take this much more than one among few. */
const GROWTH = 1.5;

/** From what a person writes to objects, and to YAML, beside cdk8s and a YAML writer that are given the finished objects. */
export const synthesis: Bench = { name: "synthesis", rows };

interface Kind {
  readonly what: string;
  readonly ours: Work;
  readonly peer: Work;
  /** Whether there is a time to aim at. */
  readonly aim: boolean;
}

const kinds: readonly Kind[] = [
  { what: "TypeScript to objects", ours: "constructs", peer: "cdk8s", aim: true },
  { what: "blueprint to objects", ours: "blueprint", peer: "cdk8s", aim: true },
  { what: "objects to YAML", ours: "yaml", peer: "plain yaml", aim: false },
];

async function* rows({ quick }: { readonly quick: boolean }): AsyncGenerator<Row> {
  const sizes = quick ? [2, 10] : [10, 100, 1000];
  const names = [...new Set(kinds.flatMap(({ ours, peer }) => [ours, peer]))];
  const bySize: { readonly size: number; readonly taken: Record<Work, Taken> }[] = [];
  for (const size of sizes) bySize.push({ size, taken: await take(names, size, quick ? 1 : 3) });
  for (const { what, ours, peer, aim } of kinds) {
    for (const { size, taken } of bySize)
      yield row(`${what}, ${sandboxes(size)}`, taken[ours], taken[peer], aim && size === 1000);
    yield growth(
      what,
      bySize.map(({ size, taken }) => [size, taken[ours]]),
    );
  }
}

function row(what: string, ours: Taken, peer: Taken, aim: boolean): Row {
  const cpu = cpuOf(ours);
  return {
    what,
    ours: shown(ours),
    peer: shown(peer),
    ratio: cpu / cpuOf(peer),
    ...(aim && {
      goal: `≤ ${milliseconds(GOAL)}, at least ≤ ${milliseconds(AT_LEAST)}`,
      met: cpu <= GOAL,
    }),
    note: `${ours.objects.toLocaleString("en")} objects; ${milliseconds(ours.milliseconds)} by the clock, peer ${milliseconds(peer.milliseconds)}`,
  };
}

/** Of the two largest sizes: the smallest is mostly code that runs for the first time. */
export function growth(what: string, all: readonly (readonly [number, Taken])[]): Row {
  const [few, many] = all.slice(-2);
  if (few === undefined || many === undefined) throw new Error("two sizes make a growth");
  const [before, after] = [few, many].map(([size, taken]) => cpuOf(taken) / size) as [number, number];
  return {
    what: `${what}, a sandbox`,
    ours: `${milliseconds(after)} of ${many[0].toLocaleString("en")}`,
    peer: `${milliseconds(before)} of ${few[0].toLocaleString("en")}`,
    ratio: after / before,
    goal: `linear: ≤ ${GROWTH}x`,
    met: after / before <= GROWTH,
    note: each(all),
  };
}

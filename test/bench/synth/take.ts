import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "../measure.ts";
import { runNode, well } from "../nacre.ts";
import { megabytes, milliseconds } from "../report.ts";
import type { Taken } from "./measured.ts";
import type { Work } from "./work.ts";

const child = fileURLToPath(new URL("child.ts", import.meta.url));

/** Does each work so many times, in turns; of each the one with the median of the CPU time. */
export async function take<Name extends Work>(
  names: readonly Name[],
  size: number,
  times: number,
): Promise<Record<Name, Taken>> {
  const taken = Object.fromEntries(names.map((name) => [name, [] as Taken[]])) as Record<Name, Taken[]>;
  await using folder = await mkdtempDisposable(join(tmpdir(), "nacre-bench-synth-"));
  const run = async (what: string): Promise<string> => {
    const args = [child, what, String(size), join(folder.path, "objects.json")];
    return (await well(runNode(args, process.env as Record<string, string>, process.cwd()))).out;
  };
  await run("objects");
  for (let round = 0; round < times; round++) {
    for (const name of names) taken[name].push(JSON.parse(await run(name)) as Taken);
  }
  const middle = (all: readonly Taken[]): Taken => {
    const at = median(all.map(cpuOf));
    return all.toSorted((a, b) => Math.abs(cpuOf(a) - at) - Math.abs(cpuOf(b) - at))[0] as Taken;
  };
  return Object.fromEntries(names.map((name) => [name, middle(taken[name])])) as Record<Name, Taken>;
}

export const cpuOf = ({ cpu, others }: Taken): number => cpu + others;
export const sandboxes = (size: number): string => `${size.toLocaleString("en")} sandboxes`;
export const shown = (taken: Taken): string => `${milliseconds(cpuOf(taken))}, ${megabytes(taken.heap)}`;
/** `0.9 ms at 10, 1 ms at 100`: what one sandbox takes where there are so many. */
export const each = (all: readonly (readonly [number, Taken])[]): string =>
  all
    .map(([size, taken]) => `${milliseconds(cpuOf(taken) / size)} at ${size.toLocaleString("en")}`)
    .join(", ");

import { readFileSync } from "node:fs";
import { availableParallelism, loadavg, release, totalmem } from "node:os";
import { median, p95 } from "./measure.ts";

/** One line of the table: what was measured, beside a peer or a floor of the same run. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer?: string;
  readonly ratio?: number;
  readonly goal?: string;
  /** Absent where there is no goal, or where nothing was measured. */
  readonly met?: boolean;
  readonly note?: string;
}

export interface Bench {
  readonly name: string;
  /** Yields each row as soon as it is measured. */
  readonly rows: (options: { readonly quick: boolean }) => AsyncIterable<Row>;
}

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
export const milliseconds = (value: number): string =>
  value < 1000 ? `${digits(value)} ms` : `${digits(value / 1000)} s`;
export const megabytes = (bytes: number): string => `${digits(bytes / 1e6)} MB`;

/** `p50 (p95)`. */
export const spread = (samples: readonly number[]): string =>
  `${milliseconds(median(samples))} (${milliseconds(p95(samples))})`;

/** A row of two series of times whose medians are set against each other; `most` is the ratio that is aimed at. */
export function compared(
  what: string,
  ours: readonly number[],
  peer: readonly number[],
  rest: { readonly most?: number; readonly note?: string } = {},
): Row {
  const ratio = median(ours) / median(peer);
  const { most, note } = rest;
  return {
    what,
    ours: spread(ours),
    peer: spread(peer),
    ratio,
    ...(most === undefined ? {} : { goal: `≤ ${most}x`, met: ratio <= most }),
    ...(note === undefined ? {} : { note }),
  };
}

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly kernel: string;
  readonly memory: string;
  readonly load: string;
  readonly user: string;
  readonly node: string;
}

export const machine = (): Machine => ({
  cores: availableParallelism(),
  cpu: /^model name\s*:\s*(.+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "?",
  kernel: release(),
  memory: megabytes(totalmem()),
  load: loadavg()
    .map((value) => value.toFixed(1))
    .join(" "),
  user: process.getuid?.() === 0 ? "root" : "ordinary user",
  node: process.version,
});

export const machineLine = ({ cores, cpu, kernel, memory, load, user, node }: Machine): string =>
  `${cores} cores (${cpu}), ${memory}, Linux ${kernel}, ${user}, Node ${node}, load ${load}`;

const heads = ["bench", "ours", "peer", "ratio", "goal", "met?"];

/** Times are `p50 (p95)`. Notes stand under the table. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ what, ours, peer, ratio, goal, met }) => [
    what,
    ours,
    peer ?? "",
    ratio === undefined ? "" : `${ratio.toFixed(2)}x`,
    goal ?? "",
    met === undefined ? "-" : met ? "yes" : "NO",
  ]);
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  const notes = rows.flatMap(({ what, note }) => (note === undefined ? [] : [`${what}: ${note}`]));
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...cells.map(line), "", ...notes].join(
    "\n",
  );
}

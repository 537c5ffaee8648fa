import { addressOf } from "../../lib/policy/address.ts";
import { blocks, holds, kindOf, kinds, rangeOf, textOf, type Range } from "./address-blocks.ts";
import { written } from "./connections.ts";
import type { Judgement } from "./judge.ts";
import { isOurs, namedBy } from "./meaning.ts";
import type { Pod, Scene } from "./scene.ts";

/** All that passes, for people: from whom to whom, and to and from addresses of every kind. */
export function tableOf(name: string, scene: Scene, judgement: Judgement): string {
  const pods = [...Map.groupBy(scene.pods, ({ title }) => title)].map(([title, [one, other]]) => ({
    title,
    one: one!,
    // Of a Deployment there are two: what passes between them is what a role says to itself.
    other: other ?? one!,
  }));
  const segments = segmentsOf(scene, judgement);
  const columns = ["of the cluster", ...kinds].filter((kind) => segments.some((one) => one.kind === kind));
  const toAddresses = (pod: Pod, kind: string): string =>
    cellOf(
      segments.filter((one) => one.kind === kind),
      ({ range }) => written(judgement.between(pod.id, addressOf(range.family, range.first))),
    );
  const fromAddresses = (pod: Pod, kind: string): string =>
    cellOf(
      segments.filter((one) => one.kind === kind),
      ({ range }) => written(judgement.between(addressOf(range.family, range.first), pod.id)),
    );
  return [
    `# ${name}: what passes, by network-config-analyzer`,
    "Kubernetes lets a node reach its own pods, whatever a policy says.",
    "## From pod to pod",
    tabular(
      ["from \\ to", ...pods.map(({ title }) => title)],
      pods.map(({ title, one }) => [
        title,
        ...pods.map(({ one: to, other }) =>
          one === other ? "" : written(judgement.between(one.id, (one === to ? other : to).id)),
        ),
      ]),
    ),
    "## From pods to addresses",
    tabular(
      ["from \\ to", ...columns],
      together(pods.map(({ title, one }) => [one, title, columns.map((kind) => toAddresses(one, kind))])),
    ),
    "## From addresses to pods",
    tabular(
      ["to \\ from", ...columns],
      together(pods.map(({ title, one }) => [one, title, columns.map((kind) => fromAddresses(one, kind))])),
    ),
    "",
  ].join("\n\n");
}

/** Where all who are not of the environment are alike, one row says so. */
function together(rows: readonly (readonly [Pod, string, readonly string[]])[]): string[][] {
  const [ours, others] = [true, false].map((own) => rows.filter(([pod]) => isOurs(pod) === own));
  const alike = new Set(others!.map(([, , cells]) => cells.join("|"))).size === 1;
  const [, , cells = []] = others![0] ?? [];
  return [
    ...ours!.map(([, title, cells]) => [title, ...cells]),
    ...(alike ? [["all others", ...cells]] : others!.map(([, title, cells]) => [title, ...cells])),
  ];
}

interface Segment {
  readonly range: Range;
  readonly kind: string;
}

/** The addresses, cut wherever their kind or what passes may change. */
function segmentsOf(scene: Scene, judgement: Judgement): Segment[] {
  const own = scene.settings.ranges.map(rangeOf);
  const ranges = [...blocks, ...namedBy(scene).map(rangeOf), ...judgement.ranges];
  return ([4, 6] as const).flatMap((family) => {
    const end = 1n << (family === 4 ? 32n : 128n);
    const cuts = [
      ...new Set(
        ranges.filter((range) => range.family === family).flatMap(({ first, last }) => [first, last + 1n]),
      ),
    ]
      .filter((cut) => cut < end)
      .sort((a, b) => (a < b ? -1 : 1));
    return cuts.map((first, index) => {
      const range = { family, first, last: (cuts[index + 1] ?? end) - 1n };
      const address = addressOf(family, first);
      return { range, kind: own.some((one) => holds(one, address)) ? "of the cluster" : kindOf(address) };
    });
  });
}

/** What passes to all of them; else what passes to which. */
function cellOf(segments: readonly Segment[], passes: (segment: Segment) => string): string {
  const byText = Map.groupBy(segments, passes);
  const [[only] = ["–"], second] = byText;
  if (second === undefined) return only;
  byText.delete("–");
  return [...byText]
    .map(
      ([text, some]) =>
        `${text} at ${joined(some.map(({ range }) => range))
          .map(textOf)
          .join(" ")}`,
    )
    .join(", ");
}

function joined(ranges: readonly Range[]): Range[] {
  const all: Range[] = [];
  for (const range of ranges) {
    const before = all.at(-1);
    if (before?.family === range.family && before.last + 1n === range.first) {
      all[all.length - 1] = { ...before, last: range.last };
    } else all.push(range);
  }
  return all;
}

function tabular(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join(
    "\n",
  );
}

import type { IpAddress } from "../../lib/policy/address.ts";
import { blocks, holds, kindOf, probesOf, rangeOf } from "./address-blocks.ts";
import { allTcp, anything, beyond, nothing, tcp, udp, written, type Connections } from "./connections.ts";
import type { End, Judgement } from "./judge.ts";
import type { Pod, Scene } from "./scene.ts";

/** What has to pass between two pods, and nothing else may: said from what a sandbox is, not from any policy. */
export function meantBetween({ sandboxes }: Scene, source: Pod, destination: Pod): Connections {
  if (!isOurs(source) && !isOurs(destination)) return anything;
  const own = source.sandbox === destination.sandbox;
  const { asks = false } = sandboxes[source.sandbox ?? ""] ?? {};
  switch (`${source.part} → ${destination.part}`) {
    case "agent → egress":
      return own ? [...tcp(15_001, 15_053), ...udp(15_053)] : nothing;
    case "egress → router":
      return asks ? tcp(8443) : nothing;
    case "egress → dns":
    case "router → dns":
      return [...tcp(53), ...udp(53)];
    case "inward → agent":
      return tcp(...(sandboxes[destination.sandbox ?? ""]?.ports ?? []));
    default:
      return nothing;
  }
}

/** The same for an address. */
export function meantTo({ settings }: Scene, source: Pod, address: IpAddress): Connections {
  if (!isOurs(source)) return anything;
  if (source.part !== "egress" && source.part !== "router") return nothing;
  const named = [
    ...settings.grants,
    ...(source.part === "egress" && settings.api ? [settings.api] : []),
    ...(source.part === "router" && settings.router.budgets ? [settings.router.budgets] : []),
  ];
  return [
    ...(isPublic(settings, address) ? allTcp : nothing),
    ...named.filter(({ cidr }) => holds(rangeOf(cidr), address)).flatMap(({ port }) => tcp(port)),
  ];
}

export const isPublic = ({ ranges }: Scene["settings"], address: IpAddress): boolean =>
  kindOf(address) === "public" && !ranges.some((cidr) => holds(rangeOf(cidr), address));

/** From outside the cluster nobody connects to a pod of ours. */
export const meantFrom = (destination: Pod): Connections => (isOurs(destination) ? nothing : anything);

export const isOurs = ({ part }: Pod): boolean => ["agent", "egress", "router", "ours"].includes(part);

/** What passes and must not, and what must pass and does not. */
export interface Deviations {
  readonly opened: readonly string[];
  readonly closed: readonly string[];
}

/** Compares all that the judge says with what is meant, at every address where either may change. */
export function deviationsOf(scene: Scene, judgement: Judgement): Deviations {
  const opened: string[] = [];
  const closed: string[] = [];
  const compare = (source: End, destination: End, meant: Connections, way: () => string): void => {
    const passes = judgement.between(source, destination);
    const more = beyond(passes, meant);
    const less = beyond(meant, passes);
    if (more.length > 0) opened.push(`${way()}: ${written(more)}`);
    if (less.length > 0) closed.push(`${way()}: ${written(less)}`);
  };
  const addresses = addressesOf(scene, judgement);
  for (const pod of scene.pods) {
    for (const other of scene.pods) {
      if (pod === other) continue;
      const meant = meantBetween(scene, pod, other);
      compare(pod.id, other.id, meant, () => `${pod.title} → ${other.title}`);
    }
    for (const address of addresses) {
      const place = (): string => `${address.text} (${kindOf(address)})`;
      compare(pod.id, address, meantTo(scene, pod, address), () => `${pod.title} → ${place()}`);
      compare(address, pod.id, meantFrom(pod), () => `${place()} → ${pod.title}`);
    }
  }
  return { opened: [...new Set(opened)], closed: [...new Set(closed)] };
}

/** Both ends of every block that anybody names, and their neighbours: between two of these nothing changes. */
export function addressesOf(scene: Scene, judgement: Judgement): IpAddress[] {
  const ranges = [...blocks, ...namedBy(scene).map(rangeOf), ...judgement.ranges];
  return [...new Map(ranges.flatMap(probesOf).map((address) => [address.text, address])).values()];
}

/** The blocks that the settings name. */
export const namedBy = ({ settings: { ranges, grants, api, router } }: Scene): string[] => [
  ...ranges,
  ...[...grants, ...(api ? [api] : []), ...(router.budgets ? [router.budgets] : [])].map(({ cidr }) => cidr),
];

import {
  isWide,
  nearest,
  type ClusterSettings,
  type ResolvedAgent,
  type ResolvedBlueprint,
} from "../../blueprint/index.ts";
import { publicBlocks } from "../../policy/address-class.ts";

/** What the target's settings open, or say without an effect. */
export function settingsWarnings(settings: ClusterSettings, { agents }: ResolvedBlueprint): string[] {
  const all = Object.entries(agents);
  return [
    ...settings.grants.map(
      ({ host, cidr, port }) =>
        `egresses may reach ${cidr} port ${port} (grant for ${host})${isWide(cidr) ? ": more than 256 addresses; name those that are meant" : ""}`,
    ),
    ...(reachesIpv4(settings)
      ? []
      : ["ranges take all public addresses of IPv4 away: egresses reach nothing there but what is granted"]),
    ...unused(
      "secrets",
      settings.secrets,
      "uses that credential",
      all.flatMap(([, agent]) => credentialsOf(agent)),
    ),
    ...unused(
      "images.agents",
      settings.images.agents,
      "is called that",
      all.flatMap((named) => imageNamesOf(...named)),
    ),
  ];
}

/** The credentials that an agent's egress, or the router for it, puts on. */
export const credentialsOf = ({ credentials, inference }: ResolvedAgent): string[] => [
  ...Object.keys(credentials),
  ...(inference?.try ?? []).flatMap(({ credential }) => credential ?? []),
];

/** The names under which an agent's image may be configured. */
export const imageNamesOf = (name: string, { runs }: ResolvedAgent): string[] => [
  name,
  ...(runs.kind === "kit" ? [runs.kit] : []),
];

function unused(field: string, written: object, what: string, used: readonly string[]): string[] {
  return Object.keys(written)
    .filter((name) => !used.includes(name))
    .map((name) => {
      const meant = nearest(name, used);
      return `${field}.${name} has no effect: no sandbox ${what}${meant === undefined ? "" : ` (did you mean ${meant}?)`}`;
    });
}

function reachesIpv4({ ranges }: ClusterSettings): boolean {
  const size = (cidr: string): number => 2 ** (32 - Number(cidr.split("/")[1]));
  return publicBlocks(ranges).some(
    ({ cidr, except }) =>
      !cidr.includes(":") && except.reduce((left, closed) => left - size(closed), size(cidr)) > 0,
  );
}

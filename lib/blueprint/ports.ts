import type { Runs } from "./blueprint.ts";

/** Where the servers of agent kits listen inside: published also where an agent names no port. */
export const serverPorts = { openclaw: 18_789 } as const;

/** The ports that an agent publishes: those that it names; a kit that names none, its server's. */
export function portsOf(runs: Runs, named: readonly number[] = []): readonly number[] {
  const known: Readonly<Partial<Record<string, number>>> = serverPorts;
  const own = runs.kind === "kit" && Object.hasOwn(known, runs.kit) ? known[runs.kit] : undefined;
  return named.length === 0 && own !== undefined ? [own] : named;
}

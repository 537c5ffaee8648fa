import type { Runs } from "./blueprint.ts";

/** Where the servers of agent kits listen inside: published also where an agent names no port. */
const serverPorts: Readonly<Record<string, number>> = { openclaw: 18_789 };

/** The ports that an agent publishes: those that it names; a kit that names none, its server's. */
export function portsOf(runs: Runs, named: readonly number[] = []): readonly number[] {
  const own = runs.kind === "kit" && Object.hasOwn(serverPorts, runs.kit) ? serverPorts[runs.kit] : undefined;
  return named.length === 0 && own !== undefined ? [own] : named;
}

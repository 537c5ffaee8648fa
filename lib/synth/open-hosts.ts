import type { ResolvedAgent } from "../blueprint/index.ts";

/** Hosts that a rule opens whole, with their ports where not 443: whoever may reach them can send anything there. */
export function openHosts(agent: Pick<ResolvedAgent, "network">): string[] {
  const hosts = Object.values(agent.network).flatMap((rule) =>
    rule.endpoints.flatMap(({ host, port, ports = port === undefined ? [] : [port] }) =>
      ports.map((number) => (number === 443 ? host : `${host}:${number}`)),
    ),
  );
  return [...new Set(hosts)].sort();
}

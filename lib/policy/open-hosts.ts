import { endpointPorts, type NetworkPolicies } from "./language.ts";

/** Hosts that a rule opens whole, with their ports where not 443: whoever may reach them can send anything there. */
export function openHosts(network: NetworkPolicies): string[] {
  const hosts = Object.values(network).flatMap((rule) =>
    rule.endpoints
      .filter(({ protocol, access }) => protocol !== "rest" || access === "full")
      .flatMap((endpoint) =>
        endpointPorts(endpoint).map((port) => {
          const host = endpoint.host ?? endpoint.allowed_ips?.join(" ") ?? "";
          return port === 443 ? host : `${host}:${port}`;
        }),
      ),
  );
  return [...new Set(hosts)].sort();
}

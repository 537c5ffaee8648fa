import { endpointPorts, type NetworkPolicies } from "./language.ts";

/** Hosts that rules open whole, with their ports where not 443: whoever may reach them can send anything there. */
export function openHosts(policies: NetworkPolicies): string[] {
  const hosts = Object.values(policies).flatMap(({ endpoints }) =>
    endpoints
      .filter(({ protocol, access }) => protocol !== "rest" || access === "full")
      .flatMap((endpoint) => {
        const host = endpoint.host ?? endpoint.allowed_ips?.join(" ") ?? "";
        return endpointPorts(endpoint).map((port) => (port === 443 ? host : `${host}:${port}`));
      }),
  );
  return [...new Set(hosts)].sort();
}

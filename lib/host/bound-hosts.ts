import { bindCredentials } from "../blueprint/index.ts";
import { endpointPorts, type NetworkPolicies } from "../policy/language.ts";
import type { HostSandbox } from "../synth/host-objects.ts";

/**
 * A policy that comes by command, bound as the blueprint has it: there a credential says for which hosts it is, and a
 * policy file does not know of that. Without it the same file would put no credential on, and let the agent's own by.
 * @throws NacreError `credential_uninspected`, `credential_conflict`
 */
export function boundAs(
  { network: described, credentials }: Pick<HostSandbox, "network" | "credentials">,
  network: NetworkPolicies,
  subject: string,
): NetworkPolicies {
  const hosts = boundHosts(described);
  const specs = Map.groupBy(hosts, ([, provider]) => provider);
  const bound = [...specs].map(([provider, destinations]) => {
    const { in: position } = Object.hasOwn(credentials, provider) ? (credentials[provider] ?? {}) : {};
    const spec = { for: destinations.map(([destination]) => destination), ...(position && { in: position }) };
    return [provider, spec] as const;
  });
  return bindCredentials(network, Object.fromEntries(bound), subject).network;
}

/** `host:port` and credential, where all endpoints there have that one, and none says itself where it goes. */
function boundHosts(network: NetworkPolicies): [string, string][] {
  const places = new Map<string, Set<string | undefined>>();
  for (const { endpoints } of Object.values(network))
    for (const endpoint of endpoints)
      for (const port of endpointPorts(endpoint)) {
        const place = `${endpoint.host ?? ""}:${port}`;
        const { provider, in: position } = endpoint.credential_binding ?? {};
        const known = places.get(place) ?? new Set();
        places.set(place, known.add(position === undefined ? provider : undefined));
      }
  return [...places].flatMap(([place, providers]) => {
    const [provider] = providers;
    return providers.size === 1 && provider !== undefined ? [[place, provider] as [string, string]] : [];
  });
}

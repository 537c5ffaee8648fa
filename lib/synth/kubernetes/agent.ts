import type { Construct } from "constructs";
import type { ResolvedAgent } from "../../blueprint/index.ts";
import { placeholderOf } from "../../policy/placeholder.ts";
import { unconfigured } from "./image.ts";
import { k8s, type ApiObject } from "./k8s.ts";
import { writableMounts, WALLS } from "./mounts.ts";
import { ISOLATION, nameOf, SANDBOX, selectorOf } from "./names.ts";
import { agentTraffic, policySpec } from "./network.ts";
import { hardenedContainer, hardenedPod, users, type User } from "./pod.ts";
import type { Profiles } from "./profiles.ts";
import { agentResources, bytes } from "./resources.ts";
import { after, metadataOf, type Parts } from "./scope.ts";
import { imageNamesOf } from "./warnings.ts";

export interface AgentParts extends Parts {
  readonly name: string;
  /** What its objects are called. */
  readonly identity: string;
  readonly agent: ResolvedAgent;
  readonly profiles: Profiles;
  /** What has to be there first: nothing runs before what keeps it in. */
  readonly first: readonly ApiObject[];
}

/** An agent's own objects. It holds no credential, no token, and reaches its egress alone. */
export function addAgent(scope: Construct, parts: AgentParts): void {
  const { agent, identity, settings } = parts;
  const labels = { [SANDBOX]: identity };
  const name = nameOf("agent", identity);
  const claim = nameOf("workspace", identity);
  const account = new k8s.KubeServiceAccount(scope, "account", {
    metadata: metadataOf(parts, name, { labels }),
    automountServiceAccountToken: false,
  });
  const traffic = new k8s.KubeNetworkPolicy(scope, "network", {
    metadata: metadataOf(parts, name, { labels }),
    spec: policySpec(agentTraffic(identity, agent.ports, settings)),
  });
  const kept: ApiObject[] = [];
  if (agent.persist.length > 0) {
    kept.push(
      new k8s.KubePersistentVolumeClaim(scope, "workspace", {
        metadata: metadataOf(parts, claim, { labels }),
        spec: {
          accessModes: ["ReadWriteOnce"],
          volumeMode: "Filesystem",
          ...(settings.storage.class !== undefined && { storageClassName: settings.storage.class }),
          resources: { requests: { storage: k8s.Quantity.fromString(bytes(settings.storage.bytes)) } },
        },
      }),
    );
  }
  if (agent.ports.length > 0) {
    new k8s.KubeService(scope, "ports", {
      metadata: metadataOf(parts, name, { labels }),
      spec: {
        type: "ClusterIP",
        externalIPs: [],
        selector: selectorOf("agent", identity),
        ports: agent.ports.map((port) => ({
          name: `port-${port}`,
          protocol: "TCP",
          port,
          targetPort: k8s.IntOrString.fromNumber(port),
        })),
      },
    });
  }
  const workload = new k8s.KubeDeployment(scope, "workload", {
    metadata: metadataOf(parts, name, { labels }),
    spec: {
      replicas: 1,
      revisionHistoryLimit: 3,
      // Two generations of an agent never write to one workspace.
      strategy: { type: "Recreate" },
      selector: { matchLabels: selectorOf("agent", identity) },
      template: {
        metadata: { labels: { ...selectorOf("agent", identity), [ISOLATION]: agent.isolation } },
        spec: podOf(parts, name, claim),
      },
    },
  });
  after(workload, account, traffic, ...kept, ...parts.first);
}

function podOf(parts: AgentParts, account: string, claim: string): k8s.PodSpec {
  const { agent, name, settings, profiles, priorities } = parts;
  const { volumes, mounts } = writableMounts(agent, claim);
  const seccomp = profiles.seccompOf(agent);
  const user = userOf(agent);
  const { files, profile } = profiles.of(agent);
  return hardenedPod({
    serviceAccount: account,
    priorityClass: priorities.agents,
    user,
    seccomp,
    ownUsers: settings.userNamespaces,
    runtimeClass: agent.isolation === "kernel" ? undefined : settings.runtimeClasses[agent.isolation],
    graceSeconds: 30,
    // The cluster's DNS would carry names out: what may be looked up is the egress' to say.
    dns: { dnsPolicy: "None", dnsConfig: { nameservers: ["127.0.0.1"], searches: [], options: [] } },
    containers: [
      {
        name: "agent",
        image: imageOf(name, agent, settings.images.agents),
        imagePullPolicy: "IfNotPresent",
        ...(agent.runs.kind === "command" && { command: agent.runs.command.map(literal) }),
        env: envOf(agent),
        ports: agent.ports.map((port) => ({ name: `port-${port}`, containerPort: port, protocol: "TCP" })),
        resources: agentResources(agent.resources),
        securityContext: hardenedContainer(user, seccomp),
        volumeMounts: [...mounts, { name: "walls", mountPath: WALLS, readOnly: true }],
      },
    ],
    volumes: [
      ...volumes,
      {
        name: "walls",
        projected: {
          defaultMode: 0o444,
          sources: [
            { configMap: { name: files, items: [{ key: "landlock.json", path: "landlock.json" }] } },
            { configMap: { name: profile, items: [{ key: "seccomp.json", path: "seccomp.json" }] } },
          ],
        },
      },
    ],
  });
}

/** The image of the agent by its name, else that of its kit; without one, a name that cannot be pulled. */
function imageOf(name: string, agent: ResolvedAgent, images: Readonly<Record<string, string>>): string {
  const named = imageNamesOf(name, agent).find((key) => Object.hasOwn(images, key));
  return (named !== undefined && images[named]) || unconfigured(`agent/${name}`);
}

/** Variables and placeholders; a credential's value is in no pod of an agent's. */
function envOf({ runs, credentials }: ResolvedAgent): k8s.EnvVar[] {
  const own = runs.kind === "command" ? Object.entries(runs.env) : [];
  const held = Object.values(credentials).flatMap(({ as }) =>
    as === undefined ? [] : [[as, placeholderOf(as)] as const],
  );
  return [...own, ...held]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value: literal(value) }));
}

/** As it is written: in commands and variables Kubernetes takes `$(NAME)` for a variable, and `$$` for one dollar. */
const literal = (text: string): string => text.replaceAll("$", "$$$$");

function userOf({ identity }: ResolvedAgent): User {
  if (identity === undefined) return users.agent;
  return { user: numberOf(identity.user), group: numberOf(identity.group) };
}

/** `sandbox` is the usual user, by whichever number. */
const numberOf = (name: string): number => (name === "sandbox" ? users.agent.user : Number(name));

import {
  AgentKit,
  AgentSandbox,
  Command,
  Egress,
  Environment,
  Inference,
  Secret,
  type KubernetesTarget,
} from "../../lib/constructs/index.ts";
import { bestEffort, cluster, clusters } from "../synth/clusters.ts";

/** The environments of the goldens. */
export const goldens: Readonly<Record<string, () => Environment<KubernetesTarget>>> = Object.fromEntries(
  Object.entries(clusters).map(([name, made]) => [name.replace("cluster-", ""), made]),
);

/** Beside the goldens: every setting that has to do with the network, and settings that close whole blocks of addresses. */
export const more: Readonly<Record<string, () => Environment<KubernetesTarget>>> = {
  settings: wide,
  "without IPv6": () => closing("::/0"),
  "without public IPv6": () => closing("2000::/3"),
  "without public addresses": () => closing("0.0.0.0/0", "2000::/3"),
  "half of the addresses": () => closing("128.0.0.0/1", "3000::/4"),
};

function closing(...ranges: string[]): Environment<KubernetesTarget> {
  const app = new Environment("dev", { target: cluster({ ranges }) });
  new AgentSandbox(app, "agent", { agent: Command.of("true"), walls: bestEffort });
  return app;
}

/** Every setting that has to do with the network, one sandbox that uses them and one that does not. */
function wide(): Environment<KubernetesTarget> {
  const target = cluster({
    namespace: "agents",
    api: { cidr: "10.43.0.1/32", port: 6443 },
    ranges: ["8.8.0.0/16", "2600:1f00::/24"],
    dns: { namespace: { "kubernetes.io/metadata.name": "names" }, pods: { app: "dns" } },
    grants: [
      { host: "db.corp.example", cidr: "10.1.2.0/24", port: 5432 },
      { host: "mirror.corp.example", cidr: "fd12:3456::/64", port: 443 },
    ],
    inward: [{ namespace: { team: "front" }, pods: { app: "web" } }, { namespace: { team: "operators" } }],
    router: {
      replicas: { min: 1, max: 3 },
      budgets: { store: "valkey", secret: "budgets", cidr: "192.168.7.7/32", port: 6379 },
    },
  });
  const app = new Environment("prod", { target, project: "team" });
  new AgentSandbox(app, "assistant", {
    agent: AgentKit.openclaw(),
    walls: bestEffort,
    ports: [18_789, 8080],
    egress: [Egress.https("api.example.com")],
    inference: Inference.nvidia({ credential: Secret.named("nvidia") }),
  });
  new AgentSandbox(app, "worker", { agent: Command.of("true"), walls: bestEffort });
  return app;
}

import { z } from "zod";
import type { GatewayReading, Gateways } from "./gateways.ts";
import type { Observed, Recorded, ResourceKind } from "./kind.ts";

const inputs = z.strictObject({
  // A folder is called after it.
  container: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "lower-case letters, digits and dashes: nacre-dev"),
  port: z.int().min(1).max(65_535),
  docker: z.string().min(1),
  /** Which container it is: a new one, of a new image, is waited for anew. */
  instance: z.string().min(1),
});
type Inputs = z.infer<typeof inputs>;

/**
 * How this machine's clients reach a gateway's cluster: a file of the state directory, taken out of the container once its
 * API server is ready. Neither inputs nor outputs hold anything of it but its path, so that no key is in Pulumi's state.
 */
export function kubeconfigKind(gateways: Gateways): ResourceKind<Inputs> {
  return {
    inputs,
    computed: ["path", "clusterIdentifier", "server"],
    effect: (changes) => {
      const roots = changes.map(({ root }) => root);
      return {
        replaces: roots.filter((root) => root === "container"),
        unsettled: roots.includes("port") ? ["server"] : [],
      };
    },

    async create(spec, call) {
      return observed(spec, await gateways.connect(spec, call));
    },

    async read(recorded, call) {
      const spec = inputs.partial().parse(recorded.inputs);
      const { container = recorded.id, port = 6443, docker = "unix:///var/run/docker.sock" } = spec;
      const found = await gateways.find({ container, port, docker });
      if (found === "gone") {
        call.log("warning", `gateway ${container}: its container is not there any more`);
        return "gone";
      }
      if ("unreachable" in found) {
        call.log("warning", `unobserved: gateway ${container}: ${found.unreachable}`);
        return "unobserved";
      }
      const other = otherCluster(recorded, found);
      const kept = { ...found, clusterIdentifier: found.clusterIdentifier ?? identifierIn(recorded) };
      return observed(
        { container, port, docker, instance: found.instance },
        other === undefined ? kept : { ...kept, problems: [...kept.problems, other] },
      );
    },

    async update(recorded, spec, call) {
      const reading = await gateways.connect(spec, call);
      const other = otherCluster(recorded, reading);
      if (other !== undefined) call.log("warning", other);
      return observed(spec, reading);
    },

    async delete({ id }) {
      await gateways.drop(id);
    },
  };
}

function observed(spec: Inputs, { path, clusterIdentifier, problems }: GatewayReading): Observed {
  const server = `https://127.0.0.1:${spec.port}`;
  return {
    id: spec.container,
    inputs: spec,
    outputs: { ...spec, path, clusterIdentifier, server },
    problems,
  };
}

function identifierIn({ outputs }: Recorded): string | undefined {
  const found = outputs["clusterIdentifier"];
  return typeof found === "string" ? found : undefined;
}

/** All that was in the cluster is gone with its authority: its data went. */
function otherCluster(recorded: Recorded, { clusterIdentifier }: GatewayReading): string | undefined {
  const before = identifierIn(recorded);
  if (before === undefined || clusterIdentifier === undefined || before === clusterIdentifier)
    return undefined;
  return `it is another cluster now (${clusterIdentifier}, before ${before}): its data was lost or replaced`;
}

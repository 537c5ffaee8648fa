import { existsSync } from "node:fs";
import { NacreError } from "../error.ts";
import { ambientKubeconfig, noKubeconfig } from "../cluster/api-server.ts";
import { clusterStatus, standing, type ClusterStatus, type ClusterWall } from "../cluster/status.ts";
import { kubeconfigPath } from "../gateway/kept.ts";
import { stateDirectory } from "../host/paths.ts";
import { isInGateway, isInKubernetes, kubeconfigOf } from "../pulumi/stack-environment.ts";
import { containerNameOf } from "../synth/gateway/network.ts";
import { synthesizeKubernetes } from "../synth/kubernetes.ts";
import type { Context } from "./context.ts";
import type { ReadEnvironment } from "./environment.ts";
import { unmade } from "./gateway-place.ts";
import { note, plain, print, printJson } from "./output.ts";

/** The status of an environment in a cluster: what its API server holds. @returns whether everything is as it was asked for */
export async function runClusterStatus(
  context: Context,
  { environment, catalogue, config }: ReadEnvironment,
  options: { readonly json?: boolean },
  sandbox: string | undefined,
): Promise<boolean> {
  if (!isInKubernetes(environment)) throw new RangeError("a host has no cluster");
  const objects = synthesizeKubernetes(environment, { catalogue, project: context.project });
  const kubeconfig = isInGateway(environment)
    ? kubeconfigPath(stateDirectory(), containerNameOf(environment))
    : (kubeconfigOf(config, context.directory) ?? ambientKubeconfig());
  if (kubeconfig === undefined) {
    const { reason, fix } = noKubeconfig();
    throw new NacreError({
      code: "kubeconfig_missing",
      subject: `environment ${context.stack}`,
      message: reason,
      hint: `${fix} of ${context.stackFile}`,
    });
  }
  if (isInGateway(environment) && !existsSync(kubeconfig))
    throw unmade(containerNameOf(environment), kubeconfig, context.stack);
  const all = await clusterStatus(objects, { kubeconfig, context: config.context });
  const wanted = all.filter((status) => sandbox === undefined || status.sandbox === sandbox);
  if (wanted.length === 0)
    throw new NacreError({
      code: "sandbox_unknown",
      subject: `${context.stack}/${sandbox ?? ""}`,
      message: "the environment has no such sandbox",
      hint: `there are: ${all.map((status) => status.sandbox).join(", ")}`,
    });
  if (options.json === true) printJson(wanted);
  else print(wanted.map((status) => report(context.stack, status)).join("\n\n"));
  if (options.json !== true)
    note("\nread from the API server; whether its network enforces NetworkPolicies is nothing that it tells");
  return wanted.every(standing);
}

const report = (environment: string, status: ClusterStatus): string =>
  [
    `${environment}/${status.sandbox}  in ${status.namespace}: agent ${status.agent}, egress ${status.egress}`,
    ...status.walls.flatMap(wallLines),
  ].join("\n");

/** `!` is a wall that no pod has yet, `✗` one that is not as it was asked for. */
function wallLines({ wall, status, detail, differs }: ClusterWall): string[] {
  const mark = differs.length > 0 ? "✗" : status === "enforced" ? "✓" : "!";
  return [
    `  ${mark} ${wall.padEnd(11)} ${status}: ${detail}`,
    ...differs.map((difference) => `      ✗ ${plain(difference)}`),
  ];
}

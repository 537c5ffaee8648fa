import { Command } from "commander";
import { gatewayKubeconfig } from "./gateway-kubeconfig.ts";
import { gatewayLogs } from "./gateway-logs.ts";
import { gatewayStatus } from "./gateway-status.ts";
import { gatewayStop } from "./gateway-stop.ts";
import { gatewayUp } from "./gateway-up.ts";

/** `nacre gateway …`: K3s in a container of this machine. */
export function gateway(): Command {
  return new Command("gateway")
    .description("K3s in a container of this machine: the cluster of the target gateway")
    .addCommand(gatewayUp())
    .addCommand(gatewayStatus())
    .addCommand(gatewayStop())
    .addCommand(gatewayLogs())
    .addCommand(gatewayKubeconfig())
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre gateway up --image rancher/k3s@sha256:…\n  $ nacre gateway status\n  $ KUBECONFIG=$(nacre gateway kubeconfig) kubectl get pods -A",
    );
}

import { Command } from "commander";
import { contextOf } from "./context.ts";
import { gatewayDocument, unmade, withGateway, type GatewayOption } from "./gateway-place.ts";
import { note, print } from "./output.ts";

interface KubeconfigOptions extends GatewayOption {
  readonly raw?: boolean;
}

/** `nacre gateway kubeconfig`: where the file is. Asks no engine. */
export function gatewayKubeconfig(): Command {
  return withGateway(new Command("kubeconfig"))
    .description(
      "print the path of the cluster's kubeconfig, which lets its holder do anything in the cluster",
    )
    .option("--raw", "its content instead: it holds a key")
    .addHelpText("after", "\nExample:\n  $ KUBECONFIG=$(nacre gateway kubeconfig) kubectl get nodes")
    .action(async (options: KubeconfigOptions) => {
      const context = contextOf(options);
      const name = (await gatewayDocument(context, options)).name ?? `nacre-${context.stack}`;
      const { stateDirectory } = await import("../host/paths.ts");
      const { keptKubeconfig, kubeconfigPath } = await import("../gateway/kept.ts");
      const path = kubeconfigPath(stateDirectory(), name);
      const kept = await keptKubeconfig(stateDirectory(), name);
      if (kept === undefined) throw unmade(name, path, context.stack);
      if (kept.open) note(`warning: others may read ${path} (chmod 600, or nacre gateway up)`);
      if (options.raw === true) process.stdout.write(kept.text);
      else print(path);
    });
}

import { Command } from "commander";
import { gatewayPlace, withGateway, type GatewayOption } from "./gateway-place.ts";
import { note, plain } from "./output.ts";

/** Seconds that K3s gets to end in order. */
const GRACE = 60;

/** `nacre gateway stop`: nothing is lost, so nothing is asked. */
export function gatewayStop(): Command {
  return withGateway(new Command("stop"))
    .description("stop the container, and all that runs in the cluster; its data stays")
    .addHelpText("after", "\nnacre gateway up starts it again.\n\nExample:\n  $ nacre gateway stop")
    .action(async (options: GatewayOption) => {
      const { engine, name, container } = await gatewayPlace(options);
      const volumes = (container.Mounts ?? []).flatMap(({ Type, Name }) =>
        Type === "volume" && Name?.startsWith(name) === true ? [Name] : [],
      );
      const kept = `its data stays in volume ${plain(volumes.join(" and "))}; nacre gateway up starts it again`;
      if (!container.State.Running) {
        note(`gateway ${name} was stopped already; ${kept}`);
        return;
      }
      note(`  ${name}: stopping`);
      await engine.stopContainer(name, GRACE);
      const { State } = await engine.inspectContainer(name);
      if (State.Running) process.exitCode = 1;
      note(
        State.Running
          ? `gateway ${name} still runs`
          : `gateway ${name} is stopped (exit code ${State.ExitCode}); ${kept}`,
      );
    });
}

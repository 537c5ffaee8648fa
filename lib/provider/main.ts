import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { cacheDirectory, stateDirectory } from "../host/paths.ts";

// The engine waits for the port: compiled code of an earlier start halves that time.
enableCompileCache(join(cacheDirectory(), "compiled"));

const { runPlugin } = await import("./plugin.ts");
const { lateMachine } = await import("./late-machine.ts");
const load = async () => {
  const { DaemonMachine } = await import("./daemon-machine.ts");
  return new DaemonMachine(stateDirectory());
};
await runPlugin(lateMachine(load), process.argv.slice(2));

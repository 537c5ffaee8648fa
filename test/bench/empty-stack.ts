import { cacheDirectory } from "../../lib/host/paths.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { engineSettings } from "../../lib/pulumi/settings.ts";
import { openStack } from "../../lib/pulumi/workspace.ts";

/** `up` of a stack that has nothing, by the engine and its SDK alone: the floor of every `up`. argv: a state directory. */
const stateDirectory = process.argv[2] ?? "";
const cache = cacheDirectory();
const settings = await engineSettings({ stateDirectory, cache }, "empty");
const stack = await openStack({
  engine: await findEngine({ cache }),
  project: "empty",
  environment: "empty",
  program: () => Promise.resolve(),
  settings,
});
if (process.argv[3] === "create") await stack.workspace.createStack("empty");
await stack.up({ color: "never" });

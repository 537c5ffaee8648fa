// The program of a plain `pulumi up`: the environment that the stack's configuration states, on whichever target.
import { getProject, getStack, runtime } from "@pulumi/pulumi";
import { dirname, join } from "node:path";
import { loadCatalogue } from "../lib/pulumi/catalogue.ts";
import { deploy } from "../lib/pulumi/deploy.ts";
import { readable } from "../lib/pulumi/readable.ts";
import { configOf } from "../lib/pulumi/stack-config.ts";
import { environmentOfStack } from "../lib/pulumi/stack-environment.ts";

const folder = dirname(import.meta.dirname);
const config = readable(() => configOf(runtime.allConfig()));
const environment = readable(() =>
  environmentOfStack(config, {
    environment: getStack(),
    project: getProject(),
    folder,
    blueprint: join(folder, "stacks/blueprint.yaml"),
    catalogue: loadCatalogue(),
  }),
);

await deploy(environment, config, folder);

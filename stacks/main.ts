// The program of a plain `pulumi up`: the blueprint that the stack's configuration names, on the target that it names.
import { Config, getProject, getStack } from "@pulumi/pulumi";
import { join } from "node:path";
import { environmentOf, Target } from "../lib/constructs/index.ts";
import { NacreError } from "../lib/error.ts";
import { loadBlueprint, loadOverlay } from "../lib/pulumi/blueprint-file.ts";
import { loadCatalogue } from "../lib/pulumi/catalogue.ts";
import { deployHost } from "../lib/pulumi/host.ts";
import { readable } from "../lib/pulumi/readable.ts";

const config = new Config("nacre");

const environment = readable(() => {
  const target = config.require("target");
  if (target !== "host") {
    throw new NacreError({
      code: "target_unknown",
      subject: "nacre:target",
      message: `there is no target ${target} yet`,
      hint: "pulumi config set nacre:target host",
    });
  }
  const file = (name: string): string => join(import.meta.dirname, "..", name);
  const blueprint = loadBlueprint(file(config.require("blueprint")), loadCatalogue());
  const overlay = config.get("overlay") ?? "";
  return environmentOf(blueprint, {
    environment: getStack(),
    project: getProject(),
    target: Target.host(),
    ...(overlay !== "" && { overlay: loadOverlay(file(overlay)) }),
  });
});

deployHost(environment);

import { Argument, Command } from "commander";
import { print } from "./output.ts";

const subjects = ["blueprint", "policy", "overlay", "presets", "host", "stack", "targets"] as const;

/** `nacre reference SUBJECT`: the fields, as Markdown, from where they are defined. */
export function reference(): Command {
  return new Command("reference")
    .description("print the reference of a file's fields, or of the presets, as Markdown")
    .addArgument(new Argument("<subject>", "whose fields").choices(subjects))
    .addHelpText("after", "\nExample:\n  $ nacre reference blueprint")
    .action(async (subject: (typeof subjects)[number]) => {
      const pages = await import("../blueprint/reference.ts");
      const { operatorReference } = await import("../host/operator-reference.ts");
      const { stackReference } = await import("../pulumi/stack-reference.ts");
      const { targetReference } = await import("../constructs/index.ts");
      const { loadCatalogue } = await import("../pulumi/catalogue.ts");
      const made = {
        blueprint: pages.blueprintReference,
        policy: pages.policyReference,
        overlay: pages.overlayReference,
        host: operatorReference,
        stack: stackReference,
        targets: targetReference,
        presets: () => pages.presetReference(loadCatalogue()),
      };
      print(made[subject]());
    });
}

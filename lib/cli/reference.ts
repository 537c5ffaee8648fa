import { Argument, Command } from "commander";
import { print } from "./output.ts";

const subjects = ["blueprint", "policy", "overlay", "gateway", "presets"] as const;

/** `nacre reference SUBJECT`: the fields, as Markdown, from where they are defined. */
export function reference(): Command {
  return new Command("reference")
    .description("print the reference of a file's fields, or of the presets, as Markdown")
    .addArgument(new Argument("<subject>", "whose fields").choices(subjects))
    .addHelpText("after", "\nExample:\n  $ nacre reference blueprint")
    .action(async (subject: (typeof subjects)[number]) => {
      const pages = await import("../blueprint/reference.ts");
      const { loadCatalogue } = await import("../pulumi/catalogue.ts");
      const made = {
        blueprint: pages.blueprintReference,
        policy: pages.policyReference,
        overlay: pages.overlayReference,
        gateway: pages.gatewayReference,
        presets: () => pages.presetReference(loadCatalogue()),
      };
      print(made[subject]());
    });
}

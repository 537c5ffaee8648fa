import type { PresetDocument } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";

/** The presets that `--preset` named. @throws NacreError `usage_preset` */
export function namedPresets(names: readonly string[]): PresetDocument[] {
  const { presets } = loadCatalogue();
  return names.map((name) => {
    const found = Object.hasOwn(presets, name) ? presets[name] : undefined;
    if (found !== undefined) return found;
    throw new NacreError({
      code: "usage_preset",
      subject: `preset ${name}`,
      message: "there is none of that name",
      hint: `the presets are ${Object.keys(presets).join(", ")}`,
    });
  });
}

import { NacreError } from "../error.ts";
import type { Kit } from "./kit.ts";
import { openclawKit } from "./kits/openclaw.ts";

/** The kits of this build by name. */
export function kitFinder(): (name: string, version: string) => Kit {
  const kits = [openclawKit()];
  return (name, version) => {
    const found = kits.find((kit) => kit.name === name);
    if (found?.version === version) return found;
    throw new NacreError({
      code: "kit_unknown",
      subject: `kit ${name}@${version}`,
      message: "this build of Nacre cannot install it",
      hint: `it has ${kits.map((kit) => `${kit.name}@${kit.version}`).join(", ")}`,
    });
  };
}

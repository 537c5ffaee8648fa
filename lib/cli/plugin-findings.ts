import { dirname, join } from "node:path";
import { cacheDirectory } from "../host/paths.ts";
import { NacreError } from "../error.ts";
import { engineByHand, missingPlugins, offlineFix, providersOf } from "../pulumi/provider-plugins.ts";
import { engineHome } from "../pulumi/settings.ts";
import { contextOf, stacksIn, type Context } from "./context.ts";
import type { Finding } from "./doctor-findings.ts";
import { readStackFile } from "./environment.ts";

/**
 * The plugins that the targets of this folder's stacks need; nothing, where all of them are hosts.
 * @param engine the engine's path, where there is one
 */
export function pluginFindings(engine = "pulumi"): Finding[] {
  try {
    const context = contextOf({});
    const needed = new Set(targetsOf(context).flatMap((target) => providersOf[target]));
    const home = engineHome({ backend: context.backend, cache: cacheDirectory() });
    return [...needed].map((name): Finding => {
      const [missing] = missingPlugins([name], home);
      const subject = `plugin ${name}`;
      if (missing === undefined) return { name: subject, found: "installed", verdict: "ok" };
      const found = `Pulumi's plugin ${name} ${missing.version} is not installed, and a stack here needs it`;
      const fix = `nacre preview downloads it, once; ${offlineFix(missing, engineByHand(engine, home))}`;
      return { name: subject, found, verdict: "warning", fix };
    });
  } catch (error) {
    if (!(error instanceof NacreError)) throw error;
    const { subject, message, hint = "nacre config check says where" } = error;
    return [{ name: "project", found: `${subject}: ${message}`, verdict: "warning", fix: hint }];
  }
}

function targetsOf({ stackFile }: Context) {
  const folder = dirname(stackFile);
  return stacksIn(folder).map(
    (stack) => readStackFile(join(folder, `Pulumi.${stack}.yaml`))?.target ?? "host",
  );
}

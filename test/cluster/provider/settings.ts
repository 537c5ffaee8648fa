import { existsSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { plain, type Properties } from "./values.ts";

/** The provider's own configuration, of which the engine sends every value as a string, or as JSON in one. */
export interface Settings {
  /** A path, or the content itself; undefined when a preview does not know it yet. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly clusterIdentifier: string | undefined;
  /** For objects that name none. */
  readonly namespace: string | undefined;
  readonly enableConfigMapMutable: boolean;
  readonly enableSecretMutable: boolean;
  readonly enablePatchForce: boolean;
  readonly upsertExistingObjects: boolean;
  readonly skipUpdateUnreachable: boolean;
  readonly deleteUnreachable: boolean;
}

export function settingsOf(properties: Properties): Settings {
  const values = plain(properties) as Properties;
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const flag = (name: string): boolean => values[name] === true || values[name] === "true";
  if (values["enableServerSideApply"] === false || values["enableServerSideApply"] === "false") {
    throw new Error("the stand-in knows only server-side apply");
  }
  return {
    kubeconfig: text("kubeconfig"),
    context: text("context"),
    clusterIdentifier: text("clusterIdentifier"),
    namespace: text("namespace"),
    enableConfigMapMutable: flag("enableConfigMapMutable"),
    enableSecretMutable: flag("enableSecretMutable"),
    enablePatchForce: flag("enablePatchForce"),
    upsertExistingObjects: flag("upsertExistingObjects"),
    skipUpdateUnreachable: flag("skipUpdateUnreachable"),
    deleteUnreachable: flag("deleteUnreachable"),
  };
}

/** Unlike the real one it never looks at `~/.kube/config`: a test that forgets its kubeconfig reaches no cluster. */
export function kubeConfigOf(settings: Settings): KubeConfig | undefined {
  const { kubeconfig, context } = settings;
  if (kubeconfig === undefined) return undefined;
  const config = new KubeConfig();
  if (existsSync(kubeconfig)) config.loadFromFile(kubeconfig);
  else if (kubeconfig.includes("\n") || kubeconfig.startsWith("{")) config.loadFromString(kubeconfig);
  else return undefined;
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}

/** Whether what was made under `old` is not to be found under `now`: the identifiers decide where both have one. */
export function isOtherCluster(old: Settings, now: Settings): boolean {
  if (old.clusterIdentifier !== undefined && now.clusterIdentifier !== undefined) {
    return old.clusterIdentifier !== now.clusterIdentifier;
  }
  const [before, after] = [old, now].map((settings) => kubeConfigOf(settings)?.getCurrentCluster());
  return before && after ? before.server !== after.server || before.caData !== after.caData : false;
}

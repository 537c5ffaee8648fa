import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "../../lib/host/paths.ts";
import type { K3sBinaries } from "./k3s-image.ts";

/** What the cache already holds of a control plane; undefined where nothing was compiled yet. */
export function cachedBinaries(folder = join(cacheDirectory(), "kubernetes")): K3sBinaries | undefined {
  const versions = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("v")) : [];
  for (const version of versions.sort().reverse()) {
    const path = (name: string): string => join(folder, version, name);
    const controllerManager = path("kube-controller-manager");
    const binaries = { etcd: path("etcd"), apiserver: path("kube-apiserver") };
    if (!existsSync(binaries.etcd) || !existsSync(binaries.apiserver)) continue;
    return { ...binaries, controllerManager: existsSync(controllerManager) ? controllerManager : undefined };
  }
  return undefined;
}

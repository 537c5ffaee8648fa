import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type * as Client from "@kubernetes/client-node";

/** The cluster that a kubeconfig leads to. */
export interface ClusterAccess {
  /** The file. Its content goes nowhere. */
  readonly kubeconfig: string;
  /** @default the file's current one */
  readonly context?: string | undefined;
}

/** What was seen of an API server. */
export type Reading =
  | { readonly reachable: true; readonly version: string; readonly clusterIdentifier: string }
  | {
      readonly reachable: false;
      /** Where the kubeconfig itself could be read. */
      readonly clusterIdentifier?: string;
      readonly reason: string;
      readonly fix: string;
    };

/** Milliseconds for one question; a preview waits no longer for a cluster that is not there. */
const PATIENCE = 5000;

/** The file that `kubectl` would read: KUBECONFIG's first, or the user's own; undefined where there is none. */
export function ambientKubeconfig(environment = process.env): string | undefined {
  const named = environment["KUBECONFIG"]?.split(":").find((path) => path !== "");
  const path = named === undefined ? join(environment["HOME"] ?? homedir(), ".kube/config") : resolve(named);
  return existsSync(path) ? path : undefined;
}

/**
 * Asks the API server for its version, once and with a time limit. The kubeconfig may use whatever way to authenticate
 * that `kubectl` knows.
 */
export async function readApiServer(access: ClusterAccess): Promise<Reading> {
  const library = await clientLibrary();
  if (library === undefined)
    return {
      reachable: false,
      reason: "the package @kubernetes/client-node, which asks the cluster, is not installed",
      fix: "npm install @kubernetes/client-node @pulumi/kubernetes",
    };
  const { KubeConfig, VersionApi } = library;
  const config = new KubeConfig();
  try {
    if (!existsSync(access.kubeconfig)) throw new Error("there is no such file");
    config.loadFromFile(access.kubeconfig);
    if (access.context !== undefined) config.setCurrentContext(access.context);
    if (config.getCurrentCluster() === null)
      throw new Error(`it has no context ${config.getCurrentContext()}`);
  } catch (error) {
    const reason = `the kubeconfig ${access.kubeconfig} cannot be used: ${messageOf(error)}`;
    return { reachable: false, reason, fix: "name one that kubectl can use, in nacre:kubeconfig" };
  }
  const cluster = config.getCurrentCluster();
  const server = cluster?.server ?? "";
  const clusterIdentifier = identifierOf(cluster);
  try {
    const asked = config.makeApiClient(VersionApi).getCode();
    const { gitVersion } = await within(PATIENCE, asked);
    return { reachable: true, version: gitVersion, clusterIdentifier };
  } catch (error) {
    return {
      reachable: false,
      clusterIdentifier,
      reason: `the API server ${server} does not answer: ${messageOf(error)}`,
      fix: "start the cluster, or check nacre:kubeconfig and nacre:context",
    };
  }
}

interface Cluster {
  readonly server: string;
  readonly caData?: string | undefined;
  readonly caFile?: string | undefined;
}

/** Stays as it is while the cluster does: its authority, or where it is when it has none of its own. */
function identifierOf(cluster: Cluster | null): string {
  const { caData, caFile, server = "" } = cluster ?? {};
  const authority = caData ?? (caFile === undefined ? server : readFileSync(caFile).toString("base64"));
  return createHash("sha256").update(authority).digest("hex").slice(0, 32);
}

async function within<Value>(milliseconds: number, work: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`no answer within ${milliseconds / 1000} s`));
  }, milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a client library says may be pages long, and may quote what it was given. */
function messageOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (typeof code === "number")
    return code === 401 ? "401, it does not know who asks" : `it answered ${code}`;
  const cause = (error as { readonly cause?: { readonly code?: string } }).cause?.code;
  return cause ?? message?.split("\n")[0]?.slice(0, 200) ?? "no reason given";
}

/** A host has no use for it, so a team's repository may lack it. */
const clientLibrary = (): Promise<typeof Client | undefined> =>
  import("@kubernetes/client-node").catch(() => undefined);

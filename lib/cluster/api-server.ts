import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type * as Client from "@kubernetes/client-node";
import { NacreError } from "../error.ts";

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

/** The file that `kubectl` would read: the first of KUBECONFIG's that is there, or the user's own; undefined where there is none. */
export const ambientKubeconfig = (environment = process.env): string | undefined =>
  (namedIn(environment) ?? [join(environment["HOME"] ?? homedir(), ".kube/config")])
    .map((path) => resolve(path))
    .find((path) => existsSync(path));

/** Why there is no such file, and the way out. */
export function noKubeconfig(environment = process.env): { readonly reason: string; readonly fix: string } {
  const named = namedIn(environment);
  return named === undefined
    ? { reason: "there is no kubeconfig", fix: "name one in nacre:kubeconfig" }
    : {
        reason: `there is no kubeconfig: KUBECONFIG names ${named.join(" and ")}, which ${named.length === 1 ? "is" : "are"} not there`,
        fix: "correct or unset KUBECONFIG, or name a file in nacre:kubeconfig",
      };
}

function namedIn(environment: NodeJS.ProcessEnv): readonly string[] | undefined {
  const named = environment["KUBECONFIG"]?.split(":").filter((path) => path !== "") ?? [];
  return named.length === 0 ? undefined : named;
}

/** A kubeconfig that was read: what leads to the cluster, in whatever way `kubectl` knows to authenticate. */
export async function kubeConfigOf({ kubeconfig, context }: ClusterAccess): Promise<Client.KubeConfig> {
  const { KubeConfig } = await clientLibrary();
  const config = new KubeConfig();
  try {
    if (!existsSync(kubeconfig)) throw new Error("there is no such file");
    config.loadFromFile(kubeconfig);
    if (context !== undefined) config.setCurrentContext(context);
    if (config.getCurrentCluster() === null)
      throw new Error(`it has no context ${config.getCurrentContext()}`);
    return config;
  } catch (error) {
    throw new NacreError({
      code: "kubeconfig_unusable",
      subject: `the kubeconfig ${kubeconfig}`,
      message: `cannot be used: ${messageOf(error)}`,
      hint: "name one that kubectl can use, in nacre:kubeconfig",
    });
  }
}

/** Asks the API server for its version, once and with a time limit. */
export async function readApiServer(access: ClusterAccess): Promise<Reading> {
  let config: Client.KubeConfig;
  try {
    config = await kubeConfigOf(access);
  } catch (error) {
    if (!(error instanceof NacreError)) throw error;
    return { reachable: false, reason: `${error.subject} ${error.message}`, fix: error.hint ?? "" };
  }
  const cluster = config.getCurrentCluster();
  const clusterIdentifier = identifierOf(cluster);
  try {
    const { VersionApi } = await clientLibrary();
    const { gitVersion } = await answered(config.makeApiClient(VersionApi).getCode());
    return { reachable: true, version: gitVersion, clusterIdentifier };
  } catch (error) {
    return {
      reachable: false,
      clusterIdentifier,
      reason: `the API server ${cluster?.server ?? ""} does not answer: ${messageOf(error)}`,
      fix: "start the cluster, or check nacre:kubeconfig and nacre:context",
    };
  }
}

/** An answer of the API server, or an error within five seconds. */
export const answered = <Value>(asked: Promise<Value>): Promise<Value> => within(PATIENCE, asked);

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
export function messageOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (typeof code === "number")
    return code === 401 ? "401, it does not know who asks" : `it answered ${code}`;
  return causeOf(error) ?? (message === undefined ? "no reason given" : firstLine(message));
}

/** The innermost reason, which libraries wrap in their own: `ECONNREFUSED`, `bad port`. */
function causeOf(error: unknown): string | undefined {
  const { cause } = error as { readonly cause?: unknown };
  if (!(cause instanceof Error)) return undefined;
  const { code } = cause as NodeJS.ErrnoException;
  return causeOf(cause) ?? code ?? firstLine(cause.message);
}

const firstLine = (text: string): string => text.split("\n", 1)[0]?.slice(0, 200) ?? "";

export async function clientLibrary(): Promise<typeof Client> {
  try {
    return await import("@kubernetes/client-node");
  } catch {
    throw new NacreError({
      code: "package_missing",
      subject: "@kubernetes/client-node",
      message: "is not installed, and the targets gateway and cluster need it",
      hint: "npm install @kubernetes/client-node @pulumi/kubernetes",
    });
  }
}

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Secret } from "../../../lib/provider/wire.ts";
import { ApiError, Unreachable, type Cluster } from "./cluster.ts";
import type { Settings } from "./settings.ts";
import { at, plain, prune, remark, textAt, type Properties } from "./values.ts";

/** One object, as the engine records it. */
export interface Recorded {
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

/** With the engine's own word for its kind. */
export interface Named extends Recorded {
  readonly type: string;
}

const DELETED_WITHIN_S = 120;

/** Fails where the real one does: when something by that name is there already. */
export async function create(cluster: Cluster, inputs: Properties, settings: Settings): Promise<Recorded> {
  const object = await placed(cluster, plain(inputs) as Properties, settings.namespace);
  // Applying would take it over in silence. What another makes between these two lines is taken over, in a test.
  if (!settings.upsertExistingObjects && (await cluster.read(object)) !== undefined) {
    throw new ApiError(409, `${textAt(object, "kind") ?? ""} ${idOf(object)} already exists`);
  }
  const manager = `pulumi-kubernetes-${randomBytes(4).toString("hex")}`;
  return recorded(await cluster.apply(object, manager, isForced(object, settings)), inputs, manager);
}

export async function update(
  cluster: Cluster,
  old: Recorded,
  inputs: Properties,
  settings: Settings,
): Promise<Recorded> {
  const object = await placed(cluster, plain(inputs) as Properties, settings.namespace);
  const manager = textAt(old.outputs, "__fieldManager") ?? "pulumi-kubernetes";
  return recorded(await cluster.apply(object, manager, isForced(object, settings)), inputs, manager);
}

/** Its live state; the inputs that come back are the live values of what the old inputs speak of (an import has none). */
export async function read(cluster: Cluster, old: Named): Promise<Recorded | undefined> {
  const live = await cluster.read(addressed(old));
  if (live === undefined) return undefined;
  const inputs = Object.keys(old.inputs).length > 0 ? old.inputs : written(live);
  const seen = remark(prune(withTexts(live, inputs), inputs), inputs) as Properties;
  return recorded(live, seen, textAt(old.outputs, "__fieldManager") ?? "pulumi-kubernetes");
}

/** Settles when it is gone, and whatever it owns with it unless the annotation says otherwise. */
export async function remove(
  cluster: Cluster,
  old: Named,
  timeout: number,
  signal: AbortSignal,
): Promise<void> {
  const object = addressed(old);
  const annotations = at(old.inputs, "metadata.annotations") as Record<string, string> | undefined;
  const policy = annotations?.["pulumi.com/deletionPropagationPolicy"] ?? "foreground";
  const uid = textAt(await cluster.read(object), "metadata.uid");
  if (uid === undefined) return;
  await cluster.delete(object, policy.charAt(0).toUpperCase() + policy.slice(1));
  const seconds = timeout > 0 ? timeout : DELETED_WITHIN_S;
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    if (textAt(await cluster.read(object), "metadata.uid") !== uid) return;
    await sleep(200, undefined, { signal });
  }
  throw new Error(`${textAt(object, "kind") ?? ""} ${old.id} is not gone after ${seconds} s`);
}

/** What a refresh says when nobody answers, by the provider's settings. */
export function unseen(error: unknown, old: Recorded, settings: Settings): Recorded | undefined {
  if (!(error instanceof Unreachable)) throw error;
  if (settings.deleteUnreachable) return undefined;
  if (settings.skipUpdateUnreachable) return old;
  throw error;
}

export const idOf = (object: Properties): string =>
  [textAt(object, "metadata.namespace"), textAt(object, "metadata.name")].filter(Boolean).join("/");

/** Secret in the outputs: what is so in the inputs, and of a Secret all data, whoever wrote the program. */
function recorded(live: Properties, inputs: Properties, manager: string): Recorded {
  const isSecret = textAt(live, "kind") === "Secret";
  const marks = isSecret ? { ...inputs, data: new Secret({}), stringData: new Secret({}) } : inputs;
  const own = { __inputs: inputs, __fieldManager: manager, __initialApiVersion: textAt(live, "apiVersion") };
  return { id: idOf(live), inputs, outputs: { ...(remark(live, marks) as Properties), ...own } };
}

/** An object of a namespaced kind is in one: the provider's own, or `default`, if it names none. */
async function placed(cluster: Cluster, object: Properties, namespace = "default"): Promise<Properties> {
  if (textAt(object, "metadata.namespace") !== undefined || !(await cluster.isNamespaced(object)))
    return object;
  return { ...object, metadata: { ...(object["metadata"] as object), namespace } };
}

/** The identity alone, from what the engine always knows. */
function addressed({ id, type }: Named): Properties {
  const [name, namespace] = id.split("/").reverse();
  return { ...kindOf(type), metadata: { name, namespace } };
}

/** `kubernetes:core/v1:Namespace` is a Namespace of `v1`; every other group is part of its apiVersion. */
export function kindOf(type: string): { readonly apiVersion: string; readonly kind: string } {
  const [, version = "", kind = ""] = type.split(":");
  return { apiVersion: version.replace(/^core\//, ""), kind };
}

const isForced = (object: Properties, settings: Settings): boolean => {
  const annotations = at(object, "metadata.annotations") as Record<string, string> | undefined;
  return settings.enablePatchForce || annotations?.["pulumi.com/patchForce"] === "true";
};

/** What a person could have written of it. */
function written(live: Properties): Properties {
  const { name, namespace, labels, annotations } = (live["metadata"] ?? {}) as Properties;
  const metadata = { name, namespace, labels, annotations };
  const known = Object.entries(metadata).filter(([, value]) => value !== undefined);
  const rest = Object.entries(live).filter(([key]) => key !== "status" && key !== "metadata");
  return { ...Object.fromEntries(rest), metadata: Object.fromEntries(known) };
}

/** The API server keeps `stringData` as base64 in `data`: read it back as the program wrote it. */
function withTexts(live: Properties, inputs: Properties): Properties {
  const texts = at(inputs, "stringData");
  if (textAt(live, "kind") !== "Secret" || texts === undefined) return live;
  const data = (live["data"] ?? {}) as Readonly<Record<string, string>>;
  const decoded = Object.keys(texts as object).filter((key) => key in data);
  const stringData = decoded.map((key) => [key, Buffer.from(data[key] ?? "", "base64").toString()]);
  return { ...live, stringData: Object.fromEntries(stringData) as Properties };
}

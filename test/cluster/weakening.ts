import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { statusOf } from "../../lib/cluster/status.ts";
import type { Environment, KubernetesTarget } from "../../lib/constructs/index.ts";
import type { KubernetesObjects, Manifest } from "../../lib/synth/kubernetes.ts";
import { ABSENT, valueAt } from "../synth/security-field.ts";
import { securityFieldsOf } from "../synth/security-fields.ts";
import { podOf, weakeningsOf, type Weakening } from "../synth/weakenings.ts";
import type { Answer, Api } from "./api.ts";
import { accountOf } from "./requests.ts";
import { eventually } from "./eventually.ts";

/** Who refuses a weakening. */
export type Layer =
  | "Pod Security"
  | `policy ${string}`
  /** The API's own validation: no such object can be, whoever asks. */
  | "the API"
  /** Each container gets limits of the namespace where it has none. */
  | "LimitRange"
  /** It closes more than it opens. */
  | "opens nothing"
  /** It is taken for what was there before. */
  | "same meaning"
  | "nobody";

export interface Verdict {
  /** `Deployment/agent`: the kind and the role. */
  readonly object: string;
  readonly field: string;
  readonly how: string;
  readonly by: Layer;
  /** What the API said. */
  readonly said: string;
  /** Of what nobody refuses: whether `nacre status` would say that it differs. */
  readonly seen?: boolean;
}

/**
 * Makes every object of an environment, in its order; each answer that was no "yes" comes back. From the last of its
 * policies on it waits until they are in force, which an API server notices within a second or two.
 */
export async function makeAll(api: Api, { objects }: KubernetesObjects): Promise<string[]> {
  const refused: string[] = [];
  const policies = objects.filter(({ manifest }) => manifest.kind === "ValidatingAdmissionPolicyBinding");
  for (const { manifest } of objects) {
    const { status, body } = await api.create(manifest);
    if (status !== 201) refused.push(`${nameOf(manifest)}: ${status} ${body.message ?? ""}`);
    if (manifest === policies.at(-1)?.manifest) await inForce(api, objects[0]!.manifest);
  }
  return refused;
}

async function inForce(api: Api, namespace: Manifest): Promise<void> {
  const { labels } = namespace.metadata;
  const open = { ...labels, "pod-security.kubernetes.io/enforce": "privileged" };
  const weaker = { ...namespace, metadata: { ...namespace.metadata, labels: open } };
  await eventually("the admission policies", async () => {
    const { status } = await api.replace(weaker, { dryRun: true });
    return status === 403 ? true : undefined;
  });
}

/** Sends each weakening of each security field of what is there, and of the pods that come of it. Nothing is changed. */
export async function judgeAll(
  api: Api,
  environment: Environment<KubernetesTarget>,
  objects: KubernetesObjects,
): Promise<Verdict[]> {
  const { namespace } = objects;
  const manifests = objects.objects.map(({ manifest }) => manifest);
  const pods = manifests.filter(({ kind }) => kind === "Deployment").map(podOf);
  const controller = api.as(accountOf("replicaset"));
  const verdicts: Verdict[] = [];
  const held = new Map<string, unknown>();
  for (const manifest of manifests) held.set(nameOf(manifest), (await api.read(manifest)).body);
  const differs = (name: string, body: unknown): boolean =>
    statusOf(objects, new Map(held).set(name, body)).some(({ walls }) =>
      walls.some(({ differs }) => differs.length > 0),
    );
  expect(differs("", undefined)).toBe(false);
  for (const manifest of [...manifests, ...pods]) {
    const judge = await Judge.of(manifest.kind === "Pod" ? controller : api, manifest, differs);
    const weakenings = securityFieldsOf(manifest, environment, namespace).flatMap((field) =>
      weakeningsOf(manifest, field),
    );
    verdicts.push(...(await inTurns(weakenings, (weakening) => judge.verdictOn(weakening))));
  }
  return verdicts;
}

/** Whether `nacre status` says that an object differs where the API server holds it like this. */
type Differs = (name: string, body: unknown) => boolean;

/** One object, and what the API makes of it as it was synthesised. */
class Judge {
  readonly #api: Api;
  readonly #object: string;
  readonly #base: unknown;
  readonly #differs: Differs;

  private constructor(api: Api, manifest: Manifest, base: unknown, differs: Differs) {
    this.#api = api;
    this.#differs = differs;
    this.#object = `${manifest.kind}/${roleOf(manifest)}`;
    this.#base = base;
  }

  static async of(api: Api, manifest: Manifest, differs: Differs): Promise<Judge> {
    const { status, body } = await sent(api, manifest);
    if (status >= 300) throw new Error(`${nameOf(manifest)}: ${status} ${body.message ?? ""}`);
    return new Judge(api, manifest, meaningOf(body), differs);
  }

  /** Made anew under its name, which is the weaker of two judgements: what is there often cannot change at all. */
  async verdictOn({ field, how, manifest }: Weakening): Promise<Verdict> {
    const made = await this.#api.create(manifest, { dryRun: true });
    const by = layerOf(made) ?? (await this.#whatItMeans({ field, how, manifest }, made));
    const named = field.path.map((step) => (/^\d+$/.test(String(step)) ? "*" : step)).join(".");
    const verdict = { object: this.#object, field: named, how, by, said: made.body.message ?? "" };
    return by === "nobody" ? { ...verdict, seen: await this.#isSeen(manifest) } : verdict;
  }

  /** Of what cannot change in place: as if it were deleted and made anew. A pod's template is what is compared. */
  async #isSeen(manifest: Manifest): Promise<boolean> {
    if (manifest.kind === "Pod") return false;
    const { status, body } = await sent(this.#api, manifest);
    return this.#differs(nameOf(manifest), status < 300 ? body : manifest);
  }

  async #whatItMeans({ field, how, manifest }: Weakening, made: Answer): Promise<Layer> {
    const isPod = manifest.kind === "Pod";
    const { status, body } = isPod ? made : await sent(this.#api, manifest);
    if (status < 300 && isDeepStrictEqual(meaningOf(body), this.#base)) return "same meaning";
    if (field.narrower?.includes(how) === true) return "opens nothing";
    const limited = field.path.includes("limits") && valueAt(body, field.path) !== ABSENT;
    return isPod && limited ? "LimitRange" : "nobody";
  }
}

/** What an object would be: a pod is none yet, and all others are there. Some are replaced by their version alone. */
async function sent(api: Api, manifest: Manifest): Promise<Answer> {
  if (manifest.kind === "Pod") return api.create(manifest, { dryRun: true });
  const { body } = await api.read(manifest);
  const { resourceVersion } = body["metadata"] as { resourceVersion: string };
  const metadata = { ...manifest.metadata, resourceVersion };
  return api.replace({ ...manifest, metadata }, { dryRun: true });
}

/** Without what the API server itself writes down about an object. */
function meaningOf(object: unknown): unknown {
  const {
    metadata,
    status: _status,
    ...rest
  } = object as { metadata: Record<string, unknown>; status?: unknown };
  const { name, namespace, labels, annotations, ownerReferences } = metadata;
  return { ...rest, metadata: { name, namespace, labels, annotations, ownerReferences } };
}

/** Who refuses a request; "nobody" where it is done. */
export const refusedBy = (answer: Answer): Layer => layerOf(answer) ?? "nobody";

/** Who said no; `undefined` where nobody did: that the name is taken, or the quota full, is said after all others. */
function layerOf({ status, body: { message = "", reason } }: Answer): Layer | undefined {
  if (status < 300 || reason === "AlreadyExists" || message.includes("exceeded quota")) return undefined;
  if (message.includes("violates PodSecurity")) return "Pod Security";
  const policy = /ValidatingAdmissionPolicy '.*-([a-z]+)' with binding/.exec(message)?.[1];
  if (policy !== undefined) return `policy ${policy}`;
  if (status === 422 || status === 400 || /not found|no PriorityClass|may not be empty/.test(message))
    return "the API";
  throw new Error(`nobody's refusal: ${status} ${message}`);
}

const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`;

/** What objects that are alike have in common: the part of their name that is not a sandbox' or a digest. */
function roleOf({ kind, metadata: { name } }: Manifest): string {
  if (["Namespace", "PriorityClass"].includes(kind)) return "*";
  if (kind.startsWith("ValidatingAdmission")) return "*";
  return name === "default-deny" ? name : (name.split("-")[0] ?? name);
}

/** Some at a time, in the order of what was asked. */
async function inTurns<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const width = 6;
  for (let start = 0; start < items.length; start += width) {
    results.push(...(await Promise.all(items.slice(start, start + width).map(act))));
  }
  return results;
}

import { findings, nearest, renderPath } from "../../blueprint/index.ts";
import { isSteering, type Hatch, type PatchOperation } from "../../constructs/index.ts";
import { z } from "zod";
import { JsonPatch } from "./k8s.ts";
import type { Manifest } from "./manifest.ts";
import type { Refusal } from "./refusal.ts";

const pathSchema = z.string().startsWith("/", "must start with /: write one such as /metadata/labels/team");
const operationSchema = z.union([
  z.strictObject({
    op: z.enum(["add", "replace"]),
    path: pathSchema,
    value: z.unknown().refine((value) => value !== undefined, "a value: gpu"),
  }),
  z.strictObject({ op: z.literal("remove"), path: pathSchema }),
]);

/** Objects that are walls: others select by their labels, and tools leave them out by their annotations. */
const WALLS: ReadonlySet<string> = new Set([
  "Namespace",
  "NetworkPolicy",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
]);
const NOTES = "/metadata/(labels|annotations)";
const NOTE = `${NOTES}/[^/]+`;
const POD = "/spec/template";

/** What a patch may touch, by kind; everything else is a wall, or is what a wall stands on. */
const open: Readonly<Record<string, readonly RegExp[]>> = {
  "*": [pattern(NOTE)],
  Deployment: [
    // Of a pod's annotations many are a runtime's or a network's orders: the one that restarts it is open.
    pattern(`${POD}/metadata/annotations/kubectl\\.kubernetes\\.io~1restartedAt`),
    pattern(
      `${POD}/spec/(nodeSelector|tolerations|affinity|topologySpreadConstraints|terminationGracePeriodSeconds|schedulerName|imagePullSecrets)(/.*)?`,
    ),
    // Their times alone: a probe may run a program in the container, which no wall then stands around.
    pattern(`${POD}/spec/containers/0/(readiness|liveness)Probe/[A-Za-z]+(Seconds|Threshold)`),
    pattern(`${POD}/spec/containers/0/resources/(requests|limits)/(cpu|memory|ephemeral-storage)`),
    pattern("/spec/(revisionHistoryLimit|progressDeadlineSeconds|minReadySeconds)"),
  ],
  PersistentVolumeClaim: [pattern("/spec/(storageClassName|resources/requests/storage|volumeName)")],
  HorizontalPodAutoscaler: [pattern("/spec/(minReplicas|maxReplicas|metrics|behavior)(/.*)?")],
  PodDisruptionBudget: [pattern("/spec/(minAvailable|maxUnavailable)")],
  ResourceQuota: [pattern("/spec/hard/(pods|persistentvolumeclaims|requests\\.[a-z-]+|limits\\.[a-z-]+)")],
  LimitRange: [pattern("/spec/limits/0/.+")],
};

function pattern(text: string): RegExp {
  return new RegExp(`^${text}$`);
}

/** As a preview and `nacre synth` say it. */
export const hatchLine = ({ by, object, reason, patch }: Hatch): string =>
  `escape hatch of ${by} on ${object}: ${reason} (${patch.map(operationText).join("; ")})`;

/** Longest value of an operation that is shown whole, as JSON. */
const SHOWN = 60;

function operationText(operation: PatchOperation): string {
  const { op, path } = operation;
  if (operation.op === "remove") return `${op} ${path}`;
  const text = JSON.stringify(operation.value);
  return `${op} ${path} ${text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text}`;
}

const refusing =
  ({ by, object }: Hatch) =>
  (reason: string, fix: string): Refusal => ({
    subject: by,
    reason: `escape hatch on ${object}: ${reason}`,
    fix,
  });

/** What is wrong with a hatch, whatever it is applied to; then what of the object it may not touch. */
export function hatchProblems(hatch: Hatch, manifests: ReadonlyMap<string, Manifest>): Refusal[] {
  const refuse = refusing(hatch);
  if (hatch.reason.trim() === "") return [refuse("it has no reason", "say why the constructs do not do")];
  const manifest = manifests.get(hatch.object);
  if (manifest === undefined) return [refuse(...absent(hatch.object, [...manifests.keys()]))];
  return hatch.patch.flatMap((operation) => {
    const [finding] = findings(operationSchema, operation);
    if (finding !== undefined) return [refuse(`${renderPath(finding.path)} ${finding.reason}`, finding.fix)];
    return isOpen(manifest.kind, operation) ? [] : [refuse(...closed(manifest, operation))];
  });
}

/** How many objects a fix names. */
const NAMED = 6;

/** Reason and fix. */
type Words = readonly [reason: string, fix: string];

function absent(object: string, names: readonly string[]): Words {
  if (/^(Container|Network|Volume)\//.test(object))
    return [
      "a gateway's Docker objects take none",
      "nacre:gateway of the stack's file says what they are like",
    ];
  const meant = nearest(object, names);
  const [kind = "", called = ""] = object.split("/");
  const alike = names.filter((name) => name.startsWith(`${kind}/`) || name.endsWith(`/${called}`));
  const others = names.filter((name) => (name.split("/")[0] ?? "") in open);
  const choice = [meant === undefined ? [] : [meant], alike, others].find(({ length }) => length > 0) ?? [];
  return ["there is no such object", `write ${choice.slice(0, NAMED).join(", ")}`];
}

function closed(manifest: Manifest, operation: PatchOperation): Words {
  const { op, path } = operation;
  const isWhole = new RegExp(`^${NOTES}$`).test(path);
  if (!isWhole && isMissing(manifest, operation))
    return [`${op} ${path}: there is no such path`, "look it up in what nacre synth writes"];
  const reason = `${op} ${path} would change what a wall stands on`;
  return isWhole && isOpen(manifest.kind, { op: "remove", path: `${path}/KEY` })
    ? [`${reason}: all of them at once`, `${op} one key: ${path}/KEY`]
    : [reason, "say it with a construct, or leave it out"];
}

/** Whether there is nothing that it could be done to. */
function isMissing(manifest: Manifest, { op, path }: PatchOperation): boolean {
  const place = op === "add" ? path.slice(0, path.lastIndexOf("/")) : path;
  return !new RegExp(`${NOTES}$`).test(place) && !has(manifest, place);
}

function isOpen(kind: string, { path }: PatchOperation): boolean {
  const last = path.split("/").at(-1) ?? "";
  if (new RegExp(`^${NOTE}$`).test(path) && (WALLS.has(kind) || isSteering(unescaped(last)))) return false;
  return [...(open["*"] ?? []), ...(open[kind] ?? [])].some((pattern) => pattern.test(path));
}

/** The object with its patch, or why there is none; labels and annotations need not be there before one is added. */
export function applyHatch(manifest: Manifest, hatch: Hatch): Manifest | Refusal {
  const refuse = refusing(hatch);
  try {
    const made = applied(manifest, hatch.patch);
    const all = tolerationsOf(made).find(({ key = "" }) => key === "" || key.startsWith(CONTROL_PLANE));
    if (all === undefined) return made;
    return refuse(
      `a toleration of ${all.key ?? "every taint"} leads to the nodes of the control plane`,
      "name the taints of the nodes that it may run on",
    );
  } catch (error) {
    const missing = hatch.patch.find((operation) => isMissing(manifest, operation));
    const reason =
      missing === undefined
        ? (error as Error).message.split("\n")[0]
        : `${missing.op} ${missing.path}: there is no such path`;
    return refuse(`it cannot be applied: ${reason ?? ""}`, "look the paths up in what nacre synth writes");
  }
}

/** Taints of nodes that no agent runs on; the admission policies refuse the same. */
export const CONTROL_PLANE = "node-role.kubernetes.io/";

interface Workload {
  readonly template?: { readonly spec?: { readonly tolerations?: readonly { readonly key?: string }[] } };
}

const tolerationsOf = (manifest: Manifest): readonly { readonly key?: string }[] =>
  (manifest["spec"] as Workload | undefined)?.template?.spec?.tolerations ?? [];

function applied(manifest: Manifest, patch: readonly PatchOperation[]): Manifest {
  const notes = patch.flatMap(({ op, path }) => {
    const [, map] = /^(.*\/metadata\/(?:labels|annotations))\/[^/]+$/.exec(path) ?? [];
    return op === "add" && map !== undefined && !has(manifest, map) ? [map] : [];
  });
  return JsonPatch.apply(
    manifest,
    ...[...new Set(notes)].map((map) => JsonPatch.add(map, {})),
    ...patch.map((operation) =>
      operation.op === "remove"
        ? JsonPatch.remove(operation.path)
        : JsonPatch[operation.op](operation.path, operation.value),
    ),
  ) as Manifest;
}

function has(value: unknown, path: string): boolean {
  const found = path
    .split("/")
    .slice(1)
    .map(unescaped)
    .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>> | undefined)?.[key], value);
  return found !== undefined;
}

/** RFC 6901, 3. */
const unescaped = (key: string): string => key.replaceAll("~1", "/").replaceAll("~0", "~");

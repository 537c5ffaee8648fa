import type { Manifest } from "../../lib/synth/kubernetes.ts";
import { ABSENT, valueAt, type SecurityField } from "./security-field.ts";

/** One object with one security field changed. */
export interface Weakening {
  readonly field: SecurityField;
  /** `removed`, or what stands there now: `true`, `+ {"ip":…}`. */
  readonly how: string;
  readonly manifest: Manifest;
}

/** Each way to weaken one field of an object: without it, turned round, emptied, with what is known to be weaker, with more. */
export function weakeningsOf(manifest: Manifest, field: SecurityField): Weakening[] {
  const value = valueAt(manifest, field.path);
  const to = (how: string, changed: unknown): Weakening => ({
    field,
    how,
    manifest: replacedAt(manifest, field.path, changed) as Manifest,
  });
  const turned =
    typeof value === "boolean"
      ? [!value]
      : typeof value === "number"
        ? [0]
        : typeof value === "string"
          ? [""]
          : [];
  const others = [...turned, ...(field.weaker ?? [])].filter(
    (one) => JSON.stringify(one) !== JSON.stringify(value),
  );
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return [
    ...(value === ABSENT ? [] : [to("removed", ABSENT)]),
    ...others.map((one) => to(JSON.stringify(one), one)),
    ...(field.more ?? []).map((member) => to(`+ ${JSON.stringify(member)}`, [...list, member])),
  ];
}

/** The same with another value at a path; what leads there is made where it is not. */
function replacedAt(object: unknown, [step, ...rest]: readonly (string | number)[], value: unknown): unknown {
  if (step === undefined) return value;
  const old = valueAt(object, [step]);
  const changed = replacedAt(old === ABSENT ? {} : old, rest, value);
  if (Array.isArray(object)) {
    const members = object as readonly unknown[];
    return members.flatMap((member, index) =>
      String(index) !== String(step) ? [member] : changed === ABSENT ? [] : [changed],
    );
  }
  const others = Object.entries(object as Record<string, unknown>).filter(([key]) => key !== step);
  return Object.fromEntries(changed === ABSENT ? others : [...others, [step, changed]]);
}

/** The pod that a Deployment's ReplicaSet makes, or that somebody makes like one of those. */
export function podOf(deployment: Manifest): Manifest {
  const { metadata, spec } = (
    deployment["spec"] as {
      template: {
        metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
        spec: object;
      };
    }
  ).template;
  const { name, namespace } = deployment.metadata;
  const owner = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name: `${name}-5f`,
    uid: "5f",
    controller: true,
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, "pod-template-hash": "5f" },
      name: `${name}-5f-x`,
      ...(namespace !== undefined && { namespace }),
      ownerReferences: [owner],
    } as Manifest["metadata"],
    spec,
  };
}

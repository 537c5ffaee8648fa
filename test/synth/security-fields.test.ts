import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { synthesizeKubernetes, type Manifest } from "../../lib/synth/kubernetes.ts";
import { catalogue } from "../blueprint/fixtures.ts";
import { clusters } from "./clusters.ts";
import { ABSENT, Must, valueAt, type SecurityField } from "./security-field.ts";
import { securityFieldsOf } from "./security-fields.ts";
import { podOf, weakeningsOf } from "./weakenings.ts";

/** Fields of a pod that no wall stands on: how it is placed, how it ends, and what its program is told. */
const free = [
  /^terminationGracePeriodSeconds$/,
  /^(schedulerName|schedulingGates|readinessGates|imagePullSecrets|nodeSelector)\b/,
  /^topologySpreadConstraints/,
  /^securityContext\.fsGroupChangePolicy$/,
  /^containers\.0\.(imagePullPolicy|command|args|terminationMessagePath)\b/,
  /^containers\.0\.resources\.requests/,
];

describe.each(Object.entries(clusters))("%s", (name, make) => {
  const environment = make();
  const { objects, namespace } = synthesizeKubernetes(environment, { catalogue });
  const manifests = objects.map(({ manifest }) => manifest);
  const fieldsOf = (manifest: Manifest): readonly SecurityField[] =>
    securityFieldsOf(manifest, environment, namespace);
  const golden = new Map(
    parseAllDocuments(readFileSync(`snapshots/goldens/${name}.yaml`, "utf8"))
      .map((document) => document.toJS() as Manifest)
      .map((manifest) => [nameOf(manifest), manifest]),
  );

  /** What is not as it must be, or as the golden has it, by the field's name. */
  const wrongIn = (manifest: Manifest, expected: Manifest | undefined): string[] =>
    fieldsOf(expected ?? manifest).flatMap(({ path, must }) => {
      const [value, before] = [valueAt(manifest, path), valueAt(expected, path)];
      const holds =
        must instanceof Must ? value !== ABSENT && must.holds(value) : isDeepStrictEqual(value, must);
      if (holds && isDeepStrictEqual(value, before)) return [];
      return [
        `${nameOf(manifest)}: ${path.join(".")} is ${said(value)}, and must be ${said(holds ? before : must)}`,
      ];
    });

  test("every security field stands as it must, and as the golden has it", () => {
    expect(manifests.flatMap((manifest) => wrongIn(manifest, golden.get(nameOf(manifest))))).toEqual([]);
  });

  test("each way to weaken a security field is found, by the field's name", () => {
    const pods = manifests.filter(({ kind }) => kind === "Deployment").map(podOf);
    const unseen = [...manifests, ...pods].flatMap((manifest) =>
      fieldsOf(manifest)
        .flatMap((field) => weakeningsOf(manifest, field))
        .filter(({ field, manifest: weaker }) => {
          const start = `${nameOf(manifest)}: ${field.path.join(".")} is `;
          return !wrongIn(weaker, manifest).some((line) => line.startsWith(start));
        })
        .map(({ field, how }) => `${nameOf(manifest)}: ${field.path.join(".")} ${how}`),
    );
    expect(unseen).toEqual([]);
  });

  test("every field of a pod is either a security field or named as none", () => {
    const unknown = manifests
      .filter(({ kind }) => kind === "Deployment")
      .map(podOf)
      .flatMap((pod) => {
        const known = fieldsOf(pod)
          .map(({ path }) => path.join("."))
          .filter((path) => !["spec.containers", "spec.containers.0.securityContext"].includes(path));
        return leavesOf(pod["spec"])
          .filter((leaf) => !known.some((path) => `spec.${leaf}.`.startsWith(`${path}.`)))
          .filter((leaf) => !free.some((pattern) => pattern.test(leaf)))
          .map((leaf) => `${nameOf(pod)}: ${leaf}`);
      });
    expect(unknown).toEqual([]);
  });
});

const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`;
const said = (value: unknown): string =>
  value === ABSENT ? "absent" : value instanceof Must ? value.words : JSON.stringify(value).slice(0, 200);

/** Paths of what holds nothing further; a list without members is one of them. */
function leavesOf(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return [path.join(".")];
  return Object.entries(value).flatMap(([key, entry]) => leavesOf(entry, [...path, key]));
}

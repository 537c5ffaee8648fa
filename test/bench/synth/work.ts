import { deepStrictEqual } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { loadCatalogue } from "../../../lib/pulumi/catalogue.ts";
import { renderKubernetes } from "../../../lib/synth/kubernetes/render.ts";
import { synthesizeKubernetes, type ChartObject } from "../../../lib/synth/kubernetes.ts";
import { blueprintText, fromBlueprint, fromConstructs } from "./fleet.ts";
import { measured, type Taken } from "./measured.ts";
import { plainChart, plainYaml } from "./plain-chart.ts";

/** Writes what peers are given: the objects that Nacre makes of so many sandboxes. */
export function writeObjects(size: number, file: string): void {
  const { objects } = synthesizeKubernetes(fromConstructs(size), { catalogue: loadCatalogue() });
  writeFileSync(file, JSON.stringify(objects));
}

/**
 * Each kind of work. What it needs is made before the clock starts, and what it made is looked at after it has stopped.
 * `file` holds the objects.
 */
export const works = {
  constructs: (size, file) => {
    const catalogue = loadCatalogue();
    return measured(
      () => synthesizeKubernetes(fromConstructs(size), { catalogue }),
      ({ objects }) => same(objects, objectsIn(file)),
    );
  },
  blueprint: (size, file) => {
    const catalogue = loadCatalogue();
    const text = blueprintText(size);
    return measured(
      () => synthesizeKubernetes(fromBlueprint(text, catalogue), { catalogue }),
      ({ objects }) => same(objects, objectsIn(file)),
    );
  },
  cdk8s: (_size, file) => {
    const manifests = manifestsIn(file);
    return measured(
      () => plainChart(manifests),
      (made) => same(made, manifestsIn(file)),
    );
  },
  yaml: (_size, file) => {
    const objects = objectsIn(file);
    return measured(
      () => renderKubernetes(objects),
      (files) => files.size,
    );
  },
  "plain yaml": (_size, file) => {
    const manifests = manifestsIn(file);
    return measured(
      () => plainYaml(manifests),
      (texts) => texts.length,
    );
  },
  preview: async (size, file) => {
    const { previewed, registered } = await import("./engine.ts");
    const catalogue = loadCatalogue();
    return previewed(() => registered(fromConstructs(size), catalogue), manifestsIn(file).length);
  },
  "plain preview": async (_size, file) => {
    const { previewed, registeredPlainly } = await import("./engine.ts");
    const manifests = manifestsIn(file);
    return previewed(() => registeredPlainly(manifests), manifests.length);
  },
} satisfies Record<string, (size: number, file: string) => Promise<Taken>>;

export type Work = keyof typeof works;

const objectsIn = (file: string): ChartObject[] => JSON.parse(readFileSync(file, "utf8")) as ChartObject[];
const manifestsIn = (file: string): ChartObject["manifest"][] =>
  objectsIn(file).map(({ manifest }) => manifest);

function same<T>(made: readonly T[], wanted: readonly T[]): number {
  deepStrictEqual(made, wanted);
  return made.length;
}

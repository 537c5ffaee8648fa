import { setTimeout as sleep } from "node:timers/promises";
import * as kubernetes from "@pulumi/kubernetes";
import {
  ComponentResource,
  ResourceHook,
  type ComponentResourceOptions,
  type CustomResource,
  type CustomResourceOptions,
} from "@pulumi/pulumi";
import type { KubernetesObjects, Manifest } from "../synth/kubernetes.ts";
import { Outputs } from "./outputs.ts";

type ResourceClass = new (name: string, args: object, options: CustomResourceOptions) => CustomResource;
type Versions = Readonly<Record<string, Readonly<Record<string, ResourceClass | undefined>> | undefined>>;

/** The typed class of an object: `apps/v1` and `Deployment` make `kubernetes.apps.v1.Deployment`. */
function classOf({ apiVersion, kind }: Manifest): ResourceClass {
  const [version = "", group = "core"] = apiVersion.split("/").reverse();
  // `apps.example.com` is not Kubernetes' own `apps`.
  const own = !group.includes(".") || group.endsWith(".k8s.io");
  const groups = kubernetes as unknown as Readonly<Record<string, Versions | undefined>>;
  const typed = own ? groups[group.split(".")[0] ?? ""]?.[version]?.[kind] : undefined;
  if (typed === undefined) throw new RangeError(`@pulumi/kubernetes has no ${apiVersion} ${kind}`);
  return typed;
}

/**
 * An API server goes on judging by the policy that it had for up to a second (measured) after another is stored: what
 * comes next would be refused by the old one, or let through.
 */
const SETTLING = 2000;

const isAdmission = ({ kind }: Manifest): boolean => kind.startsWith("ValidatingAdmissionPolicy");

/** One object a resource, named by its construct path, so that a preview and a policy pack see each for itself. */
export class ChartComponent extends ComponentResource {
  /** By path. */
  readonly resources: ReadonlyMap<string, CustomResource>;

  constructor(
    name: string,
    objects: KubernetesObjects,
    outputs: Outputs = new Outputs(),
    options: ComponentResourceOptions = {},
  ) {
    // No inputs: the engine would store the whole chart a second time.
    super("nacre:kubernetes:Chart", name, {}, options);
    const settle = new ResourceHook(`${name}-admission`, () => sleep(SETTLING));
    const made = new Map<string, CustomResource>();
    for (const { path, manifest, after, holdsData } of objects.objects) {
      const dependsOn = after.flatMap((other) => made.get(other) ?? []);
      const namespace = made.get("namespace");
      const within = manifest.metadata.namespace !== undefined && namespace !== undefined;
      made.set(
        path,
        new (classOf(manifest))(`${name}/${path}`, outputs.resolve(manifest) as object, {
          parent: this,
          dependsOn,
          // A namespace that goes takes what is in it along; one that is kept does not.
          ...(within && !objects.keep && { deletedWith: namespace }),
          ...(isAdmission(manifest) && { hooks: { afterCreate: [settle], afterUpdate: [settle] } }),
          ...(holdsData && objects.keep && { retainOnDelete: true }),
        }),
      );
    }
    this.resources = made;
    this.registerOutputs({});
  }
}

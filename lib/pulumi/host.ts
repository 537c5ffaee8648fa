import { ComponentResource, getProject, getStack, log, type ComponentResourceOptions } from "@pulumi/pulumi";
import type { Environment } from "../constructs/index.ts";
import { idOf } from "../synth/host-objects.ts";
import { synthesizeHost, type HostObjects } from "../synth/host.ts";
import { loadCatalogue } from "./catalogue.ts";
import { mustBeStack } from "./must-be-stack.ts";
import { readable } from "./readable.ts";
import { Machine, Sandbox, Workspace } from "./resources.ts";

/** The resources of one environment on a host: its machine, and a workspace and a sandbox for each agent. */
export class HostEnvironment extends ComponentResource {
  readonly machine: Machine;
  /** By name. */
  readonly sandboxes: ReadonlyMap<string, Sandbox>;

  constructor(environment: string, objects: HostObjects, options?: ComponentResourceOptions) {
    super("nacre:host:Environment", environment, {}, options);
    const project = objects.workspaces[0]?.project ?? getProject();
    const inside = { parent: this };
    this.machine = new Machine(environment, { project, environment }, inside);
    const machine = this.machine.id;
    const workspaces = new Map(
      objects.workspaces.map((spec) => [idOf(spec), new Workspace(idOf(spec), { ...spec, machine }, inside)]),
    );
    this.sandboxes = new Map(
      objects.sandboxes.map((spec) => {
        const workspace = workspaces.get(spec.workspace);
        const dependsOn = workspace === undefined ? [] : [workspace];
        return [spec.name, new Sandbox(idOf(spec), { ...spec, machine }, { ...inside, dependsOn })];
      }),
    );
    this.registerOutputs({});
  }
}

/**
 * Makes an environment real on this machine, in any Pulumi program: the stack is the environment, so both have one name.
 * @throws RunError that names what is wrong with the tree, or that the stack has another name
 */
export function deployHost(environment: Environment, options?: ComponentResourceOptions): HostEnvironment {
  const objects = readable(() => {
    mustBeStack(environment, getStack());
    return synthesizeHost(environment, { catalogue: loadCatalogue(), project: getProject() });
  });
  for (const warning of objects.warnings) void log.warn(warning);
  return new HostEnvironment(environment.name, objects, options);
}

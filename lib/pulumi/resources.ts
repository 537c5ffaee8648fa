import {
  CustomResource,
  type CustomResourceOptions,
  output,
  type Input,
  type Inputs,
  type Output,
} from "@pulumi/pulumi";
import { seccompText, type HostSandbox, type HostWorkspace } from "../synth/host-objects.ts";

type InputsOf<Spec> = { readonly [Key in keyof Spec]: Input<Spec[Key]> };

export type MachineArgs = InputsOf<{ readonly project: string; readonly environment: string }>;
export type WorkspaceArgs = InputsOf<HostWorkspace & { readonly machine: string }>;
export type KubeconfigArgs = InputsOf<{
  /** The gateway's container, by name. */
  readonly container: string;
  /** Where its API server is published on 127.0.0.1. */
  readonly port: number;
  /** Where the container engine listens. */
  readonly docker: string;
  /** The container's id: another container is waited for anew. */
  readonly instance: string;
}>;
export type SandboxArgs = InputsOf<HostSandbox & { readonly machine: string }>;

/**
 * The machine that an environment lives on. Workspaces and sandboxes take its id, so none of them can be made or changed
 * from another machine over the same Pulumi state.
 */
export class Machine extends CustomResource {
  constructor(name: string, args: MachineArgs, options?: CustomResourceOptions) {
    super("nacre:host:Machine", name, args, options);
  }
}

/** An agent's folder. Kept on the machine when it leaves the stack, unless `retainOnDelete: false` says otherwise. */
export class Workspace extends CustomResource {
  constructor(name: string, args: WorkspaceArgs, options?: CustomResourceOptions) {
    super("nacre:host:Workspace", name, args, { retainOnDelete: true, ...options });
  }
}

/** One isolated agent. */
export class Sandbox extends CustomResource {
  /** Counts the process trees that this sandbox has had. */
  declare readonly generation: Output<number>;
  /** Where its ports are on the host's loopback. */
  declare readonly published: Output<readonly { readonly inside: number; readonly outside: number }[]>;

  constructor(name: string, args: SandboxArgs, options?: CustomResourceOptions) {
    super(
      "nacre:host:Sandbox",
      name,
      {
        ...(args as Inputs),
        // As text: hundreds of names as values cost a no-op half a second on their way through the engine (measured).
        seccomp: output(args.seccomp).apply(seccompText),
        generation: undefined,
        published: undefined,
      },
      options,
    );
  }
}

/** How a gateway's cluster is reached from this machine: a file that only its user may read, written once the cluster is ready. */
export class Kubeconfig extends CustomResource {
  /** Of the file. */
  declare readonly path: Output<string>;
  /** Of the cluster's authority. */
  declare readonly clusterIdentifier: Output<string>;
  declare readonly server: Output<string>;

  constructor(name: string, args: KubeconfigArgs, options?: CustomResourceOptions) {
    super(
      "nacre:gateway:Kubeconfig",
      name,
      { ...args, path: undefined, clusterIdentifier: undefined, server: undefined },
      options,
    );
  }
}

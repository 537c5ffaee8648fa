import type { z } from "zod";
import type { DockerEngine } from "../../../lib/docker/engine.ts";
import type { Properties } from "../../../lib/provider/wire.ts";

export interface Made {
  readonly id: string;
  readonly outputs: Properties;
}

/** One resource type of the Docker provider: what it takes, which changes replace it, and what it does. */
export interface DockerKind {
  readonly inputs: z.ZodType<Properties>;
  /** Outputs that only the engine knows. */
  readonly computed: readonly string[];
  /** Inputs whose change replaces nothing; all others do. Terraform's `ForceNew`, read in the provider that Pulumi wraps. */
  readonly inPlace: readonly string[];
  /** Inputs that are sets to Terraform: their order says nothing. */
  readonly sets: readonly string[];
  create(docker: DockerEngine, inputs: any): Promise<Made>;
  read(docker: DockerEngine, id: string, inputs: any): Promise<Made | undefined>;
  update(docker: DockerEngine, id: string, inputs: any): Promise<Made>;
  delete(docker: DockerEngine, id: string, inputs: any): Promise<void>;
}

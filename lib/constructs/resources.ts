import { bytesOf, type ResourcesSpec } from "../blueprint/index.ts";

export interface ResourcesProps {
  /**
   * Cores; fractions are allowed.
   * @default unlimited
   */
  readonly cpu?: number;
  /**
   * `2Gi`, `512Mi`, or bytes.
   * @default unlimited
   */
  readonly memory?: string | number;
  /**
   * Processes and threads; protects the machine from a fork bomb.
   * @default unlimited
   */
  readonly pids?: number;
}

/** Limits of one sandbox. */
export class Resources implements ResourcesSpec {
  readonly cpu?: number;
  readonly memoryBytes?: number;
  readonly pids?: number;

  private constructor(props: ResourcesProps) {
    if (props.cpu !== undefined) this.cpu = props.cpu;
    // NaN is refused by the sandbox's validation, which can say where it stands.
    if (props.memory !== undefined) this.memoryBytes = bytesOf(props.memory) ?? Number.NaN;
    if (props.pids !== undefined) this.pids = props.pids;
  }

  static of(props: ResourcesProps): Resources {
    return new Resources(props);
  }

  /** Limit by limit the smaller of the two: what an aspect of a platform team uses to cap a whole tree. */
  static cap(resources: ResourcesSpec | undefined, limits: ResourcesSpec): Resources {
    const smaller = (a: number | undefined, b: number | undefined): number | undefined =>
      a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
    return new Resources({
      cpu: smaller(resources?.cpu, limits.cpu),
      memory: smaller(resources?.memoryBytes, limits.memoryBytes),
      pids: smaller(resources?.pids, limits.pids),
    });
  }
}

/** Where an environment runs. */
export type Target = HostTarget;

/** This Linux machine: no Docker, no Kubernetes. */
export interface HostTarget {
  readonly kind: "host";
}

export const Target = {
  /** This Linux machine: the embedded runtime. */
  host: (): HostTarget => ({ kind: "host" }),
} as const;

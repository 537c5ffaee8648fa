/** One object of Kubernetes, as it is sent. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** `Kind/name`: unique within an environment. */
export const objectName = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`;

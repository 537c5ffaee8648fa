import type { ResourcesSpec } from "../../blueprint/index.ts";
import { k8s } from "./k8s.ts";

/** The most that a pod may take. */
export interface Limits {
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly ephemeralBytes: number;
}

const MEGABYTE = 2 ** 20;
const GIGABYTE = 2 ** 30;

/** What an agent may take; one that asks for nothing gets the usual, since a pod without limits is the whole node's trouble. */
export const limitsOfAgent = ({ cpu = 2, memoryBytes = 2 * GIGABYTE }: ResourcesSpec): Limits => ({
  cpu,
  memoryBytes,
  ephemeralBytes: 2 * GIGABYTE,
});

/** Of an egress and of the router: what they are measured to need, and room for a burst. */
const needs = { egress: 64 * MEGABYTE, router: 128 * MEGABYTE } as const;
export type Service = keyof typeof needs;

export const limitsOfService = (service: Service): Limits => ({
  cpu: 1,
  memoryBytes: needs[service] * 4,
  ephemeralBytes: 256 * MEGABYTE,
});

/** Limits, and a fourth of them as what is kept free for it. */
export function agentResources(resources: ResourcesSpec): k8s.ResourceRequirements {
  const limits = limitsOfAgent(resources);
  return {
    requests: quantities(
      amounts({
        cpu: limits.cpu / 4,
        memoryBytes: Math.ceil(limits.memoryBytes / 4),
        ephemeralBytes: 256 * MEGABYTE,
      }),
    ),
    limits: quantities(amounts(limits)),
  };
}

export const serviceResources = (service: Service): k8s.ResourceRequirements => ({
  requests: quantities(amounts({ cpu: 0.05, memoryBytes: needs[service], ephemeralBytes: 64 * MEGABYTE })),
  limits: quantities(amounts(limitsOfService(service))),
});

export const quantities = (written: Readonly<Record<string, string>>): Record<string, k8s.Quantity> =>
  Object.fromEntries(Object.entries(written).map(([name, text]) => [name, k8s.Quantity.fromString(text)]));

/** As Kubernetes writes them, by the resource's name. */
export const amounts = ({ cpu, memoryBytes, ephemeralBytes }: Limits): Record<string, string> => ({
  cpu: `${Math.ceil(cpu * 1000)}m`,
  memory: bytes(memoryBytes),
  "ephemeral-storage": bytes(ephemeralBytes),
});

/** In the largest unit that it is whole in: `2Gi`. */
export const bytes = (count: number): string =>
  count % GIGABYTE === 0
    ? `${count / GIGABYTE}Gi`
    : count % MEGABYTE === 0
      ? `${count / MEGABYTE}Mi`
      : String(count);

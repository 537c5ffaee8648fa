import type { ResourcesSpec } from "../../blueprint/index.ts";
import { k8s } from "./k8s.ts";

/** What an agent gets that asks for nothing: a pod without limits is the whole node's trouble. */
const usual = { cpu: 2, memoryBytes: 2 * 2 ** 30 } as const;
const EPHEMERAL = "2Gi";

/** Limits, and a fourth of them as what is kept free for it. */
export function limitsOf({
  cpu = usual.cpu,
  memoryBytes = usual.memoryBytes,
}: ResourcesSpec): k8s.ResourceRequirements {
  return {
    requests: {
      cpu: cores(cpu / 4),
      memory: amount(Math.ceil(memoryBytes / 4)),
      "ephemeral-storage": k8s.Quantity.fromString("256Mi"),
    },
    limits: {
      cpu: cores(cpu),
      memory: amount(memoryBytes),
      "ephemeral-storage": k8s.Quantity.fromString(EPHEMERAL),
    },
  };
}

/** Of an egress and of the router: what they are measured to need, and room for a burst. */
export const serviceLimits = (megabytes: number): k8s.ResourceRequirements => ({
  requests: {
    cpu: cores(0.05),
    memory: k8s.Quantity.fromString(`${megabytes}Mi`),
    "ephemeral-storage": k8s.Quantity.fromString("64Mi"),
  },
  limits: {
    cpu: cores(1),
    memory: k8s.Quantity.fromString(`${megabytes * 4}Mi`),
    "ephemeral-storage": k8s.Quantity.fromString("256Mi"),
  },
});

const cores = (count: number): k8s.Quantity => k8s.Quantity.fromString(`${Math.ceil(count * 1000)}m`);
const amount = (bytes: number): k8s.Quantity => k8s.Quantity.fromString(String(bytes));

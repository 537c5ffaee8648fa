import { runtimeDefault, hardenedContainer, hardenedPod, type User } from "./pod.ts";
import { k8s } from "./k8s.ts";
import { places } from "./mounts.ts";
import { ports } from "./ports.ts";
import { serviceResources, type Service } from "./resources.ts";

export interface ServicePodParts {
  readonly name: Service;
  readonly image: string;
  readonly account: string;
  readonly priorityClass: string;
  readonly user: User;
  readonly ownUsers: boolean;
  readonly graceSeconds: number;
  readonly listens: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: "TCP" | "UDP";
  }[];
  readonly volumes: k8s.Volume[];
  readonly mounts: k8s.VolumeMount[];
  readonly env?: k8s.EnvVar[];
  readonly spread?: k8s.TopologySpreadConstraint[];
}

/** A pod of Nacre's own: one container of a known program, which says when it is ready and drains when it goes. */
export function servicePod(parts: ServicePodParts): k8s.PodSpec {
  const { name, user } = parts;
  const health = (path: string, periodSeconds: number): k8s.Probe => ({
    httpGet: { path, port: k8s.IntOrString.fromNumber(ports.health), scheme: "HTTP" },
    periodSeconds,
    timeoutSeconds: 2,
    failureThreshold: 3,
  });
  return hardenedPod({
    serviceAccount: parts.account,
    priorityClass: parts.priorityClass,
    user,
    seccomp: runtimeDefault,
    ownUsers: parts.ownUsers,
    graceSeconds: parts.graceSeconds,
    ...(parts.spread && { spread: parts.spread }),
    containers: [
      {
        name,
        image: parts.image,
        imagePullPolicy: "IfNotPresent",
        command: [`/nacre/${name}`],
        args: [],
        env: parts.env ?? [],
        ports: [...parts.listens, { name: "health", port: ports.health, protocol: "TCP" as const }].map(
          ({ port, ...rest }) => ({ ...rest, containerPort: port }),
        ),
        resources: serviceResources(name),
        securityContext: hardenedContainer(user, runtimeDefault),
        readinessProbe: health("/ready", 5),
        livenessProbe: health("/alive", 20),
        lifecycle: { preStop: { exec: { command: [`/nacre/${name}`, "drain"] } } },
        volumeMounts: [
          ...parts.mounts,
          { name: "scratch", mountPath: places[name].scratch, readOnly: false },
        ],
      },
    ],
    volumes: [
      ...parts.volumes,
      { name: "scratch", emptyDir: { medium: "Memory", sizeLimit: k8s.Quantity.fromString("16Mi") } },
    ],
  });
}

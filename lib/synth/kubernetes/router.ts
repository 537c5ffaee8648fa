import type { Construct } from "constructs";
import { canonicalJson, digestOf, type RouteSpec } from "../../blueprint/index.ts";
import { CONFIG_HASH } from "./egress.ts";
import { unconfigured } from "./image.ts";
import { k8s, type ApiObject } from "./k8s.ts";
import { places } from "./mounts.ts";
import { selectorOf } from "./names.ts";
import { policySpec, routerTraffic } from "./network.ts";
import { users } from "./pod.ts";
import { ports } from "./ports.ts";
import { after, metadataOf, type Parts } from "./scope.ts";
import { secretMounts } from "./secrets.ts";
import { servicePod } from "./service-pod.ts";

const NAME = "router";

export interface RouterParts extends Parts {
  /** By sandbox: who answers its prompts. */
  readonly routes: Readonly<Record<string, RouteSpec>>;
  readonly first: readonly ApiObject[];
}

/** The privacy router of an environment: it holds the providers' credentials, and egresses alone reach it. */
export function addRouter(scope: Construct, parts: RouterParts): void {
  const { settings } = parts;
  const { replicas } = settings.router;
  const config = canonicalJson({
    version: 1,
    listen: { router: ports.router, health: ports.health },
    ...routesOf(parts),
  });
  const configMap = new k8s.KubeConfigMap(scope, "config", {
    metadata: metadataOf(parts, NAME),
    data: { "router.json": config },
  });
  const account = new k8s.KubeServiceAccount(scope, "account", {
    metadata: metadataOf(parts, NAME),
    automountServiceAccountToken: false,
  });
  const traffic = new k8s.KubeNetworkPolicy(scope, "network", {
    metadata: metadataOf(parts, NAME),
    spec: policySpec(routerTraffic(parts)),
  });
  new k8s.KubeService(scope, "service", {
    metadata: metadataOf(parts, NAME),
    spec: {
      type: "ClusterIP",
      externalIPs: [],
      selector: selectorOf("router"),
      ports: [
        {
          name: "https",
          protocol: "TCP",
          port: ports.router,
          targetPort: k8s.IntOrString.fromNumber(ports.router),
        },
      ],
    },
  });
  const scaled = replicas.max > replicas.min;
  const workload = new k8s.KubeDeployment(scope, "workload", {
    metadata: metadataOf(parts, NAME),
    spec: {
      // Where it scales, the number is the autoscaler's.
      ...(scaled ? {} : { replicas: replicas.min }),
      revisionHistoryLimit: 3,
      strategy: {
        type: "RollingUpdate",
        rollingUpdate: {
          maxSurge: k8s.IntOrString.fromNumber(1),
          maxUnavailable: k8s.IntOrString.fromNumber(0),
        },
      },
      selector: { matchLabels: selectorOf("router") },
      template: {
        metadata: { labels: selectorOf("router"), annotations: { [CONFIG_HASH]: digestOf(config) } },
        spec: podOf(parts),
      },
    },
  });
  after(workload, configMap, account, traffic, ...parts.first);
  new k8s.KubePodDisruptionBudget(scope, "disruption", {
    metadata: metadataOf(parts, NAME),
    spec: { maxUnavailable: k8s.IntOrString.fromNumber(1), selector: { matchLabels: selectorOf("router") } },
  });
  if (scaled) addScaler(scope, parts);
}

function addScaler(scope: Construct, parts: RouterParts): void {
  const { min, max } = parts.settings.router.replicas;
  new k8s.KubeHorizontalPodAutoscalerV2(scope, "scale", {
    metadata: metadataOf(parts, NAME),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: NAME },
      minReplicas: min,
      maxReplicas: max,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } },
        },
      ],
    },
  });
}

/** Routes by sandbox, and each provider once. */
function routesOf({ routes }: RouterParts): object {
  const providers = Object.values(routes).flatMap((route) => route.try);
  return {
    routes: Object.fromEntries(
      Object.entries(routes).map(([sandbox, { try: specs, timeoutSeconds }]) => [
        sandbox,
        { try: specs.map(({ name }) => name), timeoutSeconds },
      ]),
    ),
    providers: Object.fromEntries(providers.map(({ name, ...provider }) => [name, provider])),
  };
}

function podOf({ routes, settings, priorities }: RouterParts): k8s.PodSpec {
  const credentials = Object.values(routes).flatMap((route) =>
    route.try.flatMap(({ credential }) => credential ?? []),
  );
  const secrets = secretMounts([...new Set(credentials)].sort(), settings);
  const { budgets } = settings.router;
  return servicePod({
    name: "router",
    image: settings.images.router ?? unconfigured("router"),
    account: NAME,
    priorityClass: priorities.services,
    user: users.router,
    ownUsers: settings.userNamespaces,
    // An answer that is under way is finished: a model may take its time.
    graceSeconds: 120,
    listens: [{ name: "https", port: ports.router, protocol: "TCP" }],
    spread: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: selectorOf("router") },
      },
    ],
    volumes: [
      { name: "config", configMap: { name: NAME, defaultMode: 0o444, optional: false } },
      ...secrets.volumes,
      ...(budgets === undefined
        ? []
        : [
            {
              name: "budgets",
              secret: {
                secretName: budgets.secret,
                optional: false,
                defaultMode: 0o440,
                items: [{ key: "url", path: "url" }],
              },
            },
          ]),
    ],
    mounts: [
      { name: "config", mountPath: places.router.config, readOnly: true },
      ...secrets.mounts,
      ...(budgets === undefined
        ? []
        : [{ name: "budgets", mountPath: places.router.budgets, readOnly: true }]),
    ],
  });
}

import { Construct } from "constructs";
import {
  blueprintDigest,
  type Catalogue,
  type ClusterSettings,
  credentialWarnings,
  environmentDigest,
  gatewayOf,
  resolve,
  type ResolvedBlueprint,
} from "../blueprint/index.ts";
import {
  offerOf,
  walls,
  type Environment,
  type Hatch,
  type KubernetesTarget,
  type Wall,
  type Enforcement,
} from "../constructs/index.ts";
import { openHosts } from "../policy/open-hosts.ts";
import { chartSettingsOf } from "./gateway/network.ts";
import { addAdmission } from "./kubernetes/admission.ts";
import { addAgent } from "./kubernetes/agent.ts";
import { addEgress } from "./kubernetes/egress.ts";
import { applyHatch, hatchProblems } from "./kubernetes/hatches.ts";
import { ApiObject, App, Chart, k8s } from "./kubernetes/k8s.ts";
import { objectName, type Manifest } from "./kubernetes/manifest.ts";
import { namespaceOf } from "./kubernetes/names.ts";
import { addGround } from "./kubernetes/namespace.ts";
import { outsideOf } from "./kubernetes/network.ts";
import { obstaclesOf } from "./kubernetes/obstacles.ts";
import { PolicyTexts } from "./kubernetes/policy-texts.ts";
import { Profiles } from "./kubernetes/profiles.ts";
import { withYoungerFields } from "./kubernetes/pod.ts";
import { refuse, type Refusal } from "./kubernetes/refusal.ts";
import { refusalsOf } from "./kubernetes/refusals.ts";
import { settingsWarnings } from "./kubernetes/warnings.ts";
import { addRouter } from "./kubernetes/router.ts";
import { after, comesAfter, metadataOf, type Parts } from "./kubernetes/scope.ts";

export type { Manifest } from "./kubernetes/manifest.ts";
export type { Refusal } from "./kubernetes/refusal.ts";

/** One object, with its place in the chart and what comes before it. */
export interface ChartObject {
  /** Its construct path within the chart: `assistant/egress/workload`. Stable, whatever a sandbox is wrapped in. */
  readonly path: string;
  readonly manifest: Manifest;
  /** Paths of the objects that have to be there first. */
  readonly after: readonly string[];
  /** Data that is lost with it. */
  readonly holdsData: boolean;
}

/** What stands of a sandbox' walls. */
export interface SandboxWalls {
  readonly sandbox: string;
  /** What its objects are called. */
  readonly identity: string;
  readonly walls: Readonly<Record<Wall, Enforcement>>;
}

/** What an environment becomes in Kubernetes. */
export interface KubernetesObjects {
  readonly namespace: string;
  /** The environment as its namespace says it (`nacre.dev/environment`): `PROJECT/ENVIRONMENT`. */
  readonly owner: string;
  /** Each after what it depends on. */
  readonly objects: readonly ChartObject[];
  readonly walls: readonly SandboxWalls[];
  /** Objects that are not as the constructs made them. */
  readonly hatches: readonly Hatch[];
  /** Why `up` is refused, while `synth` and `preview` work. */
  readonly obstacles: readonly Refusal[];
  readonly warnings: readonly string[];
  readonly digests: { readonly blueprint: string; readonly environment: string };
  /** Claims, and the namespace that they are in, outlive the environment. */
  readonly keep: boolean;
}

export interface KubernetesOptions {
  readonly catalogue: Catalogue;
  /**
   * The project that owns the environment, where the environment names none.
   * @default "nacre"
   */
  readonly project?: string;
}

/**
 * Lowers a construct tree to objects of Kubernetes, in an order in which they can be made.
 * @throws NacreError `invalid_environment`, `unenforceable`, `unknown_preset`, `unknown_kit`, `rule_conflict`
 */
export function synthesizeKubernetes(
  environment: Environment<KubernetesTarget>,
  options: KubernetesOptions,
): KubernetesObjects {
  const blueprint = environment.toBlueprint();
  const resolved = resolve(blueprint, options.catalogue);
  refuse(refusalsOf(environment, resolved), `environment ${environment.name}`);
  const project = environment.project ?? options.project ?? "nacre";
  const namespace = namespaceOf(environment, project);
  const digests = digestsOf(environment, resolved);
  const chart = new Chart(new App(), environment.name, { disableResourceNameHashes: true });
  const owner = `${project}/${environment.name}`;
  build(chart, environment, resolved, { namespace, owner, digests });
  const { objects, hatches } = patched(environment, objectsOf(chart, environment.target.settings));
  const readings = wallsOf(environment, resolved);
  return {
    namespace,
    owner,
    objects,
    walls: readings,
    hatches,
    obstacles: obstaclesOf(environment, resolved, readings),
    warnings: [
      ...blueprint.warnings,
      ...credentialWarnings(blueprint.agents, resolved),
      ...settingsWarnings(environment.target.settings, resolved),
      ...warningsOf(environment, resolved, readings),
    ],
    digests,
    keep: environment.target.settings.storage.keep,
  };
}

function digestsOf(
  environment: Environment<KubernetesTarget>,
  resolved: ResolvedBlueprint,
): KubernetesObjects["digests"] {
  const blueprint = blueprintDigest(resolved);
  const { name, overlay, hatches } = environment;
  const target =
    environment.target.kind === "gateway"
      ? { ...environment.target, gateway: environment.gateway?.settings ?? gatewayOf({}) }
      : environment.target;
  return {
    blueprint,
    environment: environmentDigest({
      blueprint,
      environment: name,
      target: hatches.length === 0 ? target : { ...target, hatches: effectsOf(hatches) },
      overlay,
    }),
  };
}

/** What the hatches change, object by object. Which constructs ask for it is no part: wrapping one changes nothing. */
const effectsOf = (hatches: readonly Hatch[]): readonly Omit<Hatch, "by">[] =>
  hatches
    .map(({ by: _, ...effect }) => effect)
    .sort((a, b) => (a.object < b.object ? -1 : Number(a.object > b.object)));

interface Made {
  readonly namespace: string;
  readonly owner: string;
  readonly digests: KubernetesObjects["digests"];
}

function build(
  chart: Chart,
  environment: Environment<KubernetesTarget>,
  { agents }: ResolvedBlueprint,
  { namespace, owner, digests }: Made,
): void {
  const settings = chartSettingsOf(environment);
  const parts: Parts = {
    namespace,
    owner,
    settings,
    priorities: { agents: `${namespace}-agents`, services: `${namespace}-services` },
    outside: outsideOf(settings),
    policies: new PolicyTexts(),
  };
  const sandboxes = environment.sandboxes.map(({ name, identity }) => {
    const written = agents[name];
    if (written === undefined) throw new RangeError(`no agent ${name}`);
    const { resources = {} } = environment.overlay.agents?.[name] ?? {};
    return { name, identity, agent: { ...written, resources: { ...written.resources, ...resources } } };
  });
  const ground = addGround(
    chart,
    parts,
    environment,
    sandboxes.map(({ agent }) => agent),
  );
  const admission = addAdmission(chart, parts, ground.namespace);
  const first = [...ground.first, ...admission];
  new k8s.KubeConfigMap(chart, "environment", {
    metadata: metadataOf(parts, "environment"),
    data: { environment: environment.name, blueprint: digests.blueprint, digest: digests.environment },
  });
  const profiles = new Profiles(new Construct(chart, "walls"), parts);
  const routes = Object.fromEntries(
    Object.entries(agents).flatMap(([name, { inference }]) =>
      inference === null ? [] : [[name, inference]],
    ),
  );
  if (Object.keys(routes).length > 0) {
    addRouter(new Construct(chart, "router"), { ...parts, routes, first });
  }
  for (const sandbox of sandboxes) {
    const scope = new Construct(chart, `sandbox-${sandbox.identity}`);
    const egress = addEgress(new Construct(scope, "egress"), { ...parts, ...sandbox, first });
    addAgent(new Construct(scope, "agent"), {
      ...parts,
      ...sandbox,
      profiles,
      first: [...first, ...egress],
    });
  }
  for (const object of apiObjects(chart)) {
    if (object.metadata.namespace === namespace) after(object, ground.namespace, ...admission);
  }
}

const apiObjects = (chart: Chart): ApiObject[] =>
  chart.node.findAll().filter((node) => ApiObject.isApiObject(node));

/** What is lost when it goes; a namespace takes all that is in it along. */
const DATA: ReadonlySet<string> = new Set(["Namespace", "PersistentVolumeClaim"]);

/** Each object once, after all that it depends on. */
function objectsOf(chart: Chart, { userNamespaces }: ClusterSettings): ChartObject[] {
  const root = chart.node.path.length + 1;
  const pathOf = (object: ApiObject): string => object.node.path.slice(root);
  const done = new Set<ApiObject>();
  const ordered: ChartObject[] = [];
  const visit = (object: ApiObject): void => {
    if (done.has(object)) return;
    done.add(object);
    const before = [...new Set(comesAfter(object))];
    before.forEach(visit);
    const path = pathOf(object);
    ordered.push({
      path,
      manifest: withYoungerFields(object.toJson() as Manifest, userNamespaces),
      after: before.map(pathOf).sort(),
      holdsData: DATA.has(object.kind),
    });
  };
  apiObjects(chart).forEach(visit);
  return ordered;
}

function patched(
  environment: Environment<KubernetesTarget>,
  objects: readonly ChartObject[],
): Pick<KubernetesObjects, "objects" | "hatches"> {
  const { hatches } = environment;
  if (hatches.length === 0) return { objects, hatches };
  const byName = new Map(objects.map(({ manifest }) => [objectName(manifest), manifest]));
  refuse(
    hatches.flatMap((hatch) => hatchProblems(hatch, byName)),
    `environment ${environment.name}`,
  );
  const manifests = new Map<string, Manifest>();
  const refused: Refusal[] = [];
  for (const hatch of hatches) {
    const before = manifests.get(hatch.object) ?? byName.get(hatch.object);
    if (before === undefined) continue;
    const made = applyHatch(before, hatch);
    if ("reason" in made) refused.push(made as Refusal);
    else manifests.set(hatch.object, made);
  }
  refuse(refused, `environment ${environment.name}`);
  return {
    objects: objects.map((object) => ({
      ...object,
      manifest: manifests.get(objectName(object.manifest)) ?? object.manifest,
    })),
    hatches,
  };
}

function wallsOf(
  { target, sandboxes }: Environment<KubernetesTarget>,
  { agents }: ResolvedBlueprint,
): SandboxWalls[] {
  const identities = new Map(sandboxes.map(({ name, identity }) => [name, identity]));
  return Object.entries(agents).map(([sandbox, { isolation }]) => {
    const offer = offerOf(target.kind, isolation, target.settings.seccomp);
    if ("refused" in offer) throw new RangeError(`${target.kind} refuses ${isolation}`);
    return { sandbox, identity: identities.get(sandbox) ?? sandbox, walls: offer.walls };
  });
}

function warningsOf(
  { target }: Environment<KubernetesTarget>,
  { agents }: ResolvedBlueprint,
  readings: readonly SandboxWalls[],
): string[] {
  const { settings } = target;
  return readings.flatMap(({ sandbox, identity, walls: standing }) => {
    const agent = agents[sandbox];
    if (agent === undefined) return [];
    const open = openHosts(agent.network);
    const missing = walls.flatMap((wall) => {
      const of = standing[wall];
      return of.status === "enforced"
        ? []
        : [`agent ${sandbox}: ${wall} not enforced: ${of.reason}; instead ${of.instead}`];
    });
    return [
      ...missing,
      ...(identity === sandbox
        ? []
        : [`agent ${sandbox}: in the cluster it is ${identity}, and has what that has kept (moved)`]),
      ...(open.length === 0 ? [] : [`agent ${sandbox}: anything can be sent to ${open.join(", ")}`]),
      ...(agent.resources.pids === undefined || target.kind === "gateway"
        ? []
        : [
            `agent ${sandbox}: pids is not enforced: a pod cannot say it (the nodes' kubelet can: podPidsLimit)`,
          ]),
      ...(target.kind === "gateway" && agent.persist.length > 0 && settings.storage.class === undefined
        ? [
            `agent ${sandbox}: the size of its claim is not enforced: the gateway's local-path provisioner makes folders of one volume`,
          ]
        : []),
      ...(agent.ports.length > 0 && settings.inward.length === 0
        ? [
            `agent ${sandbox}: nobody in the cluster may connect to ${agent.ports.join(", ")} (settings: inward); kubectl port-forward reaches it`,
          ]
        : []),
    ];
  });
}

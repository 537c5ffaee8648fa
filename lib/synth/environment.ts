import type { Catalogue } from "../blueprint/index.ts";
import type { Environment, GatewayTarget, Hatch, KubernetesTarget } from "../constructs/index.ts";
import { renderGateway } from "./gateway/render.ts";
import { synthesizeGateway } from "./gateway.ts";
import { renderHost } from "./host-render.ts";
import { synthesizeHost } from "./host.ts";
import { hatchLine } from "./kubernetes/hatches.ts";
import { obstacleLine, type Refusal } from "./kubernetes/refusal.ts";
import { renderKubernetes } from "./kubernetes/render.ts";
import { synthesizeKubernetes } from "./kubernetes.ts";

/** What an environment's target would get. */
export interface RenderedEnvironment {
  /** YAML by the file's path, one object a file: the same bytes for the same tree. */
  readonly files: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  /** Why `up` would be refused. */
  readonly obstacles: readonly Refusal[];
  /** Objects that are not as the constructs made them. */
  readonly hatches: readonly Hatch[];
}

export interface RenderOptions {
  readonly catalogue: Catalogue;
  /**
   * The project that owns the environment, where the environment names none.
   * @default "nacre"
   */
  readonly project?: string;
}

/**
 * Lowers an environment for its target, whichever it is, and writes what comes of it as text. Needs no engine, no cluster
 * and no container; starts nothing.
 * @throws NacreError `invalid_environment`, `unenforceable`, `unknown_preset`, `unknown_kit`, `rule_conflict`
 */
export function renderEnvironment(environment: Environment, options: RenderOptions): RenderedEnvironment {
  if (isFor(environment, "host")) {
    const objects = synthesizeHost(environment, options);
    return { files: renderHost(objects), warnings: objects.warnings, obstacles: [], hatches: [] };
  }
  const chart = synthesizeKubernetes(environment as Environment<KubernetesTarget>, options);
  const { warnings, obstacles, hatches } = chart;
  const files = renderKubernetes(chart.objects);
  if (!isFor(environment, "gateway")) return { files, warnings, obstacles, hatches };
  const container = synthesizeGateway(environment as Environment<GatewayTarget>, {
    project: options.project ?? "nacre",
  });
  return {
    files: new Map([...renderGateway(container), ...files]),
    warnings: [...container.warnings, ...warnings],
    obstacles: [...container.obstacles, ...obstacles],
    hatches,
  };
}

/** The same in lines, for a person. */
export const notesOf = ({ warnings, obstacles, hatches }: RenderedEnvironment): string[] => [
  ...warnings.map((warning) => `warning: ${warning}`),
  ...obstacles.map(obstacleLine),
  ...hatches.map(hatchLine),
];

const isFor = ({ target }: Environment, kind: Environment["target"]["kind"]): boolean => target.kind === kind;

import type { Catalogue } from "../blueprint/index.ts";
import type { Environment, GatewayTarget, KubernetesTarget } from "../constructs/index.ts";
import { renderGateway } from "./gateway/render.ts";
import { synthesizeGateway } from "./gateway.ts";
import { renderHost } from "./host-render.ts";
import { synthesizeHost } from "./host.ts";
import { hatchLine } from "./kubernetes/hatches.ts";
import { obstacleLine } from "./kubernetes/refusal.ts";
import { renderKubernetes } from "./kubernetes/render.ts";
import { synthesizeKubernetes } from "./kubernetes.ts";

/** What an environment's target would get. */
export interface RenderedEnvironment {
  /** YAML by the name of its file, one object a file: the same bytes for the same tree. */
  readonly files: ReadonlyMap<string, string>;
  /** What a person should know of them: warnings, what `up` would refuse, escape hatches. */
  readonly notes: readonly string[];
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
    return { files: renderHost(objects), notes: objects.warnings.map(asWarning) };
  }
  const chart = renderChart(environment as Environment<KubernetesTarget>, options);
  if (!isFor(environment, "gateway")) return chart;
  const container = synthesizeGateway(environment as Environment<GatewayTarget>, {
    project: options.project ?? "nacre",
  });
  return {
    files: new Map([...renderGateway(container), ...chart.files]),
    notes: [...container.warnings.map(asWarning), ...container.obstacles.map(obstacleLine), ...chart.notes],
  };
}

function renderChart(
  environment: Environment<KubernetesTarget>,
  options: RenderOptions,
): RenderedEnvironment {
  const objects = synthesizeKubernetes(environment, options);
  return {
    files: renderKubernetes(objects.objects),
    notes: [
      ...objects.warnings.map(asWarning),
      ...objects.obstacles.map(obstacleLine),
      ...objects.hatches.map(hatchLine),
    ],
  };
}

const isFor = ({ target }: Environment, kind: Environment["target"]["kind"]): boolean => target.kind === kind;

const asWarning = (text: string): string => `warning: ${text}`;

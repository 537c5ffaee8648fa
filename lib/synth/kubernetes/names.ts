import type { Environment, KubernetesTarget } from "../../constructs/index.ts";
import { NacreError } from "../../error.ts";

/** What a pod is for. One agent and one egress a sandbox, one router an environment. */
export type Role = "agent" | "egress" | "router";

const PREFIX = "nacre.dev";
export const SANDBOX = `${PREFIX}/sandbox`;
export const ROLE = `${PREFIX}/role`;
/** On an agent's pod: the isolation that was asked for, so that a pod which lost its RuntimeClass is refused. */
export const ISOLATION = `${PREFIX}/isolation`;
export const MANAGED = "app.kubernetes.io/managed-by";
/** What `kubectl rollout restart` writes on a pod's template. */
export const RESTARTED = "kubectl.kubernetes.io/restartedAt";
/** On the namespace: the environment that it is of, `PROJECT/ENVIRONMENT`. */
export const ENVIRONMENT = `${PREFIX}/environment`;

/** On everything that Nacre makes. */
export const ownLabels = { [MANAGED]: "nacre" } as const;

/**
 * What selects the pods of one role. Selectors cannot change, so nothing is in them that a refactoring of constructs, a
 * new version or another environment could change.
 */
export function selectorOf(role: Role, sandbox?: string): Record<string, string> {
  return { [ROLE]: role, ...(sandbox === undefined ? {} : { [SANDBOX]: sandbox }) };
}

/** An object's name: the role first, so that no sandbox can be called like another's egress. */
export const nameOf = (role: Exclude<Role, "router"> | "policy" | "workspace", sandbox: string): string =>
  `${role}-${sandbox}`;

/**
 * The environment's namespace: the tree's, else the settings', else its project and name.
 * @throws NacreError `invalid_environment` where those two make no name
 */
export function namespaceOf(environment: Environment<KubernetesTarget>, project: string): string {
  const named = environment.namespace?.props.name ?? environment.target.settings.namespace;
  if (named !== undefined) {
    if (!/^(default|kube-.*)$/.test(named)) return named;
    throw new NacreError({
      code: "invalid_environment",
      subject: environment.node.path || environment.name,
      message: `the namespace ${named} is the cluster's own`,
      hint: "name one that nothing else lives in",
    });
  }
  const made = `${project}-${environment.name}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(made)) return made;
  throw new NacreError({
    code: "invalid_environment",
    subject: environment.node.path,
    message: `${made} is no name of a namespace (at most 63 characters, none of them a dash at an end)`,
    hint: "name one: namespace in the target's settings, or new Namespace(…, { name })",
  });
}

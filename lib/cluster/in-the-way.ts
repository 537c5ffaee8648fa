import type { KubeConfig } from "@kubernetes/client-node";
import { MANAGE } from "../synth/kubernetes/admission/owner.ts";
import { ENVIRONMENT } from "../synth/kubernetes/names.ts";
import type { KubernetesObjects } from "../synth/kubernetes.ts";
import { answered, clientLibrary, kubeConfigOf, messageOf, type ClusterAccess } from "./api-server.ts";

type Where = Pick<KubernetesObjects, "namespace" | "owner">;

/** What keeps an environment out of a cluster. */
export interface InTheWay {
  readonly reason: string;
  readonly fix: string;
}

/** Asks the API server, before anything is put there. @returns nothing where the environment may be made or changed */
export async function inTheWay(access: ClusterAccess, where: Where): Promise<InTheWay | undefined> {
  const config = await kubeConfigOf(access);
  return (await namespaceTaken(config, where)) ?? (await notManaged(config, where));
}

/**
 * Whose the namespace is: what has the same name there is taken over (`upsertExistingObjects`), and two projects' names
 * can make one (`a-b` and `c`, `a` and `b-c`).
 */
async function namespaceTaken(
  config: KubeConfig,
  { namespace, owner }: Where,
): Promise<InTheWay | undefined> {
  const { CoreV1Api } = await clientLibrary();
  const another = "name another one: namespace in the target's settings";
  try {
    const { metadata } = await answered(config.makeApiClient(CoreV1Api).readNamespace({ name: namespace }));
    const holder = metadata?.annotations?.[ENVIRONMENT];
    if (holder === owner) return undefined;
    return holder === undefined
      ? {
          reason: `the namespace ${namespace} is there, and is not this environment's`,
          fix: `${another}; or give it over: kubectl annotate namespace ${namespace} ${ENVIRONMENT}=${owner}`,
        }
      : { reason: `the namespace ${namespace} is the environment ${holder}'s`, fix: another };
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 404) return undefined;
    return {
      reason: `whose the namespace ${namespace} is cannot be told: ${messageOf(error)}`,
      fix: "let this user read namespaces",
    };
  }
}

/** Whether the user may change the environment's objects, as its admission policies will ask: half of one is worse than none. */
async function notManaged(config: KubeConfig, { namespace }: Where): Promise<InTheWay | undefined> {
  const { AuthorizationV1Api, V1SelfSubjectAccessReview } = await clientLibrary();
  const { group, resource, verb } = MANAGE;
  const what = `${verb} ${resource}.${group} in the namespace ${namespace}`;
  try {
    const body = Object.assign(new V1SelfSubjectAccessReview(), {
      spec: { resourceAttributes: { group, resource, verb, namespace } },
    });
    const { status } = await answered(
      config.makeApiClient(AuthorizationV1Api).createSelfSubjectAccessReview({ body }),
    );
    if (status?.allowed === true) return undefined;
    return {
      reason: `this user may not ${what}, so the environment's admission policies would refuse its objects`,
      fix: `bind a role with { apiGroups: [${group}], resources: [${resource}], verbs: [${verb}] } there`,
    };
  } catch (error) {
    return {
      reason: `whether this user may ${what} cannot be told: ${messageOf(error)}`,
      fix: "look at the API server's log",
    };
  }
}

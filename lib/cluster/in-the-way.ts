import { MANAGE } from "../synth/kubernetes/admission/owner.ts";
import { ENVIRONMENT } from "../synth/kubernetes/names.ts";
import { answered, clientLibrary, kubeConfigOf, messageOf, type ClusterAccess } from "./api-server.ts";

/** What keeps an environment out of a cluster. */
export interface InTheWay {
  readonly reason: string;
  readonly fix: string;
}

/**
 * Asks the API server whose a namespace is, before anything is put there: what has the same name there is taken over
 * (`upsertExistingObjects`), and two projects' names can make one (`a-b` and `c`, `a` and `b-c`).
 * @param owner `PROJECT/ENVIRONMENT`
 * @returns nothing where it is not there yet, or is the environment's
 */
export async function namespaceTaken(
  access: ClusterAccess,
  { namespace, owner }: { readonly namespace: string; readonly owner: string },
): Promise<InTheWay | undefined> {
  const config = await kubeConfigOf(access);
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

/**
 * Asks whether the user may change the environment's objects, as its admission policies will ask: half an environment is
 * worse than none.
 * @returns nothing where he may
 */
export async function notManaged(access: ClusterAccess, namespace: string): Promise<InTheWay | undefined> {
  const config = await kubeConfigOf(access);
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

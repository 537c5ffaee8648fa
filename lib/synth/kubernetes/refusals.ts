import { isWithin, type ResolvedAgent, type ResolvedBlueprint } from "../../blueprint/index.ts";
import { type Environment, type KubernetesTarget, offerOf } from "../../constructs/index.ts";
import type { Refusal } from "./refusal.ts";

/** Everything that the tree asks for and that no pod can give, with the construct that asks. */
export function refusalsOf(
  environment: Environment<KubernetesTarget>,
  { agents }: ResolvedBlueprint,
): Refusal[] {
  const paths = new Map(environment.sandboxes.map((sandbox) => [sandbox.name, sandbox.node.path]));
  return [
    ...sharedIdentities(environment),
    ...routerProblems(environment, agents),
    ...Object.entries(agents).flatMap(([name, agent]) =>
      agentProblems(agent, environment.target).map((problem) => ({
        subject: paths.get(name) ?? name,
        ...problem,
      })),
    ),
  ];
}

type Problem = Omit<Refusal, "subject">;

function agentProblems(agent: ResolvedAgent, { kind, settings }: KubernetesTarget): Problem[] {
  const offer = offerOf(kind, agent.isolation, settings.seccomp);
  return [
    ...("refused" in offer
      ? [{ reason: `isolation ${agent.isolation}: ${offer.refused}`, fix: offer.fix }]
      : []),
    ...identity(agent),
    ...readOnly(agent),
    ...restart(agent),
    ...fallback(agent),
  ];
}

/** A pod runs as a number that is not root's. */
function identity({ identity: who }: ResolvedAgent): Problem[] {
  if (who === undefined) return [];
  return Object.entries(who)
    .filter(([, name]) => name !== "sandbox" && !/^[1-9][0-9]{0,9}$/.test(name))
    .map(([what, name]) => ({
      reason: `run_as_${what} ${JSON.stringify(name)}: a pod that must not be root has to name a number`,
      fix: "write sandbox, or a number above 0",
    }));
}

/** What is under a writable folder is writable. */
function readOnly({ files }: ResolvedAgent): Problem[] {
  return files.readOnly.flatMap((path) => {
    const over = files.readWrite.find((folder) => isWithin(path, folder));
    if (over === undefined) return [];
    const reason = `${path} cannot be read-only: ${over} is writable, and everything in it`;
    return [
      { reason, fix: `list the writable folders beside ${path} instead of ${over}, or remove ${path}` },
    ];
  });
}

function restart({ restart: when }: ResolvedAgent): Problem[] {
  if (when === "always") return [];
  const reason = `restart ${when}: a Deployment starts its pods again whatever their end`;
  return [{ reason, fix: "write restart: always" }];
}

function fallback({ inference }: ResolvedAgent): Problem[] {
  const [first, second] = inference?.try ?? [];
  if (first === undefined || second === undefined) return [];
  return [
    { reason: "not enforced yet: a route falls back to no second provider", fix: `keep one: ${first.name}` },
  ];
}

function sharedIdentities({ sandboxes }: Environment): Refusal[] {
  const byIdentity = Map.groupBy(sandboxes, (sandbox) => sandbox.identity);
  return [...byIdentity.values()].flatMap(([first, second]) =>
    first === undefined || second === undefined
      ? []
      : [
          {
            subject: second.node.path,
            reason: `it was moved from ${second.identity}, which ${first.node.path} is called`,
            fix: "remove one .moved(…), or give one another name",
          },
        ],
  );
}

/** Two replicas without a common ledger would each spend the whole budget. */
function routerProblems(
  { node, target }: Environment<KubernetesTarget>,
  agents: ResolvedBlueprint["agents"],
): Refusal[] {
  const { replicas, budgets } = target.settings.router;
  const used = Object.values(agents).some(({ inference }) => inference !== null);
  if (!used || replicas.max === 1 || budgets !== undefined) return [];
  return [
    {
      subject: node.path,
      reason: `up to ${replicas.max} replicas of the router have no common ledger of budgets`,
      fix: "add router.budgets (Valkey, Redis or PostgreSQL) to the target's settings, or keep one replica",
    },
  ];
}

import { isWithin, WORKSPACE, type ResolvedAgent, type ResolvedBlueprint } from "../../blueprint/index.ts";
import { type Environment, type KubernetesTarget, offerOf } from "../../constructs/index.ts";
import { SYSTEM } from "./mounts.ts";
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
    ...identity(agent, settings.userNamespaces),
    ...writable(agent),
    ...readOnly(agent),
    ...restart(agent),
  ];
}

/** The API knows numbers up to 2³¹ − 1; a user namespace of a pod has 65536 of them. */
function identity({ identity: who }: ResolvedAgent, userNamespaces: boolean): Problem[] {
  const most = userNamespaces ? 65_535 : 2 ** 31 - 1;
  return Object.entries(who ?? {})
    .filter(([, name]) => Number(name) > most)
    .map(([what, name]) => ({
      reason: `run_as_${what} ${name}: a pod${userNamespaces ? " with a user namespace" : ""} has no number above ${most}`,
      fix: `write sandbox, or a number up to ${most}`,
    }));
}

/** Folders of a pod that are volumes: nothing of the system's, and nothing that a mount cannot be called. */
function writable({ files, persist }: ResolvedAgent): Problem[] {
  const mounted = files.readWrite.filter((path) => !isWithin(path, "/dev"));
  return [...new Set([...persist, ...mounted])].flatMap((path) => {
    const system = SYSTEM.find((folder) => path === "/" || isWithin(path, folder) || isWithin(folder, path));
    if (system !== undefined)
      return [
        {
          reason: `${path} cannot be writable in a pod: it would lie over ${system}`,
          fix: `write ${WORKSPACE}${path === "/" ? "" : path} instead`,
        },
      ];
    if (!path.includes(":")) return [];
    return [{ reason: `${path} cannot be a volume's place: it has a colon`, fix: "write another path" }];
  });
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

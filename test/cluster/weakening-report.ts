import type { Layer, Verdict } from "./weakening.ts";

/** Why nobody refuses what nobody refuses: by object, field and change. */
const reasons: readonly (readonly [of: RegExp, reason: string])[] = [
  [
    /^ValidatingAdmissionPolicy/,
    "Kubernetes exempts admission policies from admission, so that nobody is locked out. Who may write them is who administers the cluster; drift finds it.",
  ],
  [
    /^ConfigMap\/(landlock|seccomp) data/,
    "Immutable: it cannot change in place. Who deletes it and makes it anew can, since CEL has no digest to compare it with its name; drift finds it.",
  ],
  [
    /^ConfigMap\/environment data/,
    "A note of which blueprint was applied, for people. No pod has it, and nothing is decided by it.",
  ],
  [
    /^ConfigMap\/\S+ data/,
    "The policy is meant to change while agents run, and nothing in the API understands it. Who may write the namespace's ConfigMaps may widen it; drift finds it. The API gives that right to no pod of the environment.",
  ],
  [
    /^ResourceQuota\/environment spec\.hard\.(pods|limits\.|requests\.storage)/,
    "How many pods there may be, and how much they may take together, is the operator's to say (an escape hatch may); it protects the cluster, not a wall.",
  ],
  [
    /^PersistentVolumeClaim\/workspace spec\.volumeName/,
    "Which volume a claim gets is the operator's to say (an escape hatch may). Who makes PersistentVolumes administers the cluster.",
  ],
  [
    /^Pod\/agent \S+\.image/,
    "A pod is made by the cluster's own controllers from its Deployment, and that of one that runs is changed by who manages the environment alone. Pods themselves are compared with nothing.",
  ],
  [
    /^Deployment\/agent \S+\.image/,
    "Images of agents change more often than policies should. What runs there instead has the agent's walls, and nothing that the agent has not; drift finds it.",
  ],
  [
    /^NetworkPolicy\/agent spec\.ingress\.\*\.ports\.\*\.port/,
    "The policies know no sandbox' ports. Whoever may connect to one port (inward) can connect to another; drift finds it.",
  ],
];

interface Row {
  readonly field: string;
  readonly by: Map<string, Set<string>>;
}

/** All verdicts of all environments as one page. Throws where nobody refuses and no reason is known, or a reason is of nothing. */
export function reportOf(
  version: string,
  verdicts: readonly Verdict[],
  requests: readonly { readonly name: string; readonly by: Layer }[],
): string {
  const objects = Map.groupBy(verdicts, ({ object }) => object);
  const fields = new Set(verdicts.map(({ object, field }) => `${object} ${field}`));
  return [
    "# What refuses a weakening",
    "",
    `Every security field of every object of the goldens (\`cluster-*.yaml\`), and of the pods that come of them, was removed,`,
    `turned round, emptied, made weaker and added to, and sent to the API server of Kubernetes ${version} as a dry run, as an`,
    "object of that name made anew. Made by `test/cluster/weakening.slow.test.ts`; by hand are the reasons, and what opens nothing.",
    "",
    `${fields.size} fields, ${verdicts.length} changes:`,
    "",
    "| refused by | changes |",
    "| --- | --- |",
    ...[...Map.groupBy(verdicts, ({ by }) => by)]
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([by, of]) => `| ${by} | ${of.length} |`),
    "",
    "`policy …` is an admission policy of the environment's. `the API`: no such object can be. `same meaning`: the server takes it",
    "for what was there. `opens nothing`: it closes more than it opens. `LimitRange`: the namespace gives what was taken away.",
    "Pod Security judges pods, not Deployments; what it refuses the policies would often refuse as well.",
    "",
    "## What nobody refuses",
    "",
    ...unrefused(verdicts),
    "",
    "Deleting is for who manages the environment, as every change of its objects is (`policy owner`): the table shows what they are",
    "kept from all the same. Without its own NetworkPolicy a pod still has `default-deny`, and without that its own; drift finds either.",
    "",
    "## Other requests",
    "",
    "| request | refused by |",
    "| --- | --- |",
    ...requests.map(({ name, by }) => `| ${name} | ${by} |`),
    ...[...objects].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([object, of]) => section(object, of)),
    "",
  ].join("\n");
}

function unrefused(verdicts: readonly Verdict[]): string[] {
  const open = verdicts.filter(({ by }) => by === "nobody");
  const nameOf = ({ object, field }: Verdict): string => `${object} ${field}`;
  const unknown = open.map(nameOf).filter((name) => !reasons.some(([of]) => of.test(name)));
  if (unknown.length > 0)
    throw new Error(`nobody refuses, and no reason is known:\n${[...new Set(unknown)].join("\n")}`);
  const unseen = open.filter(
    (verdict) =>
      !verdict.object.startsWith("Pod/") &&
      verdict.seen !== reasons.find(([of]) => of.test(nameOf(verdict)))?.[1].includes("drift finds it"),
  );
  if (unseen.length > 0)
    throw new Error(
      `status sees, or does not see, otherwise than the reason says:\n${unseen.map((one) => `${nameOf(one)}: ${one.how} (${one.seen ? "seen" : "unseen"})`).join("\n")}`,
    );
  const left = [...new Set(open.map(nameOf))];
  return reasons.flatMap(([of, reason]) => {
    const names = left.filter((name) => reasons.find(([first]) => first.test(name))?.[0] === of);
    if (names.length === 0) throw new Error(`a reason for what is refused: ${String(of)}`);
    return [`- ${names.map((name) => `\`${name}\``).join(", ")}: ${reason}`];
  });
}

function section(object: string, verdicts: readonly Verdict[]): string[] {
  const rows = [...Map.groupBy(verdicts, ({ field }) => field)].map(([field, of]): Row => {
    const by = new Map<string, Set<string>>();
    for (const [how, same] of Map.groupBy(of, (one) => one.how)) {
      const layers = [...new Set(same.map((one) => one.by))].sort().join(" or ");
      by.set(layers, (by.get(layers) ?? new Set()).add(how));
    }
    return { field, by };
  });
  return [
    "",
    `## ${object}`,
    "",
    "| field | refused by |",
    "| --- | --- |",
    ...rows.map(
      ({ field, by }) =>
        `| ${field} | ${[...by].map(([layers, hows]) => `**${layers}**: ${[...hows].map(short).join(", ")}`).join("; ")} |`,
    ),
  ];
}

const short = (how: string): string => {
  const text = how.length > 60 ? `${how.slice(0, 57)}…` : how;
  return how === "removed" ? text : `\`${text.replaceAll("|", "\\|")}\``;
};

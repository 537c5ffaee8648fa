import type { Rule } from "./rules.ts";
import { at, Expression, is, isAbsent, literal } from "./cel.ts";
import { TOKEN_SOURCES } from "../egress.ts";
import { places, SYSTEM, WALLS } from "../mounts.ts";
import type { Parts } from "../scope.ts";
import { secretMounts, SECRETS } from "../secrets.ts";

/** An agent has its claim, what goes with the pod, and its walls; the egress and the router what they are told, and keys. */
export function volumeRules({ settings }: Parts): Rule[] {
  const { api, router } = settings;
  const mapped = Object.fromEntries(
    secretMounts(Object.keys(settings.secrets), settings).volumes.map(({ name, secret }) => [name, secret]),
  );
  const config = (name: string): string =>
    is("v", "configMap", { name: new Expression(name), defaultMode: 0o444, optional: false });
  const scratch = at("v", "emptyDir.sizeLimit") + ".hasValue()";
  const source = (kind: string): string =>
    `v.projected.sources.exists_one(s, ${at("s", "configMap.name")}.orValue("").startsWith("${kind}-") &&
    ${is("s", "configMap.items", [{ key: `${kind}.json`, path: `${kind}.json` }])} && ${is("s", "configMap.optional", false, false)})`;
  const key = `has(v.secret) && ${is("v", "secret.optional", false)} && ${is("v", "secret.defaultMode", 0o440)}`;
  const { budgets } = router;
  return [
    [
      "a volume of an agent is its own claim, its walls, or of the pod and bounded",
      `!variables.agent || variables.volumes.all(v,
  v.name == "workspace" ? ${at("v", "persistentVolumeClaim.claimName")} == optional.of("workspace-" + variables.sandbox) :
  v.name == "walls" ? has(v.projected) && size(v.projected.sources) == 2 && ${is("v", "projected.defaultMode", 0o444)} &&
    ${source("landlock")} && ${source("seccomp")} :
  v.name.startsWith("scratch-") && ${scratch})`,
    ],
    [
      "a volume of the egress or the router is its configuration, its own token, a Secret as the settings map it, or bounded memory",
      `variables.agent || variables.volumes.all(v,
  v.name == "config" ? ${config("variables.name")} :
  v.name == "policy" ? variables.role == "egress" && ${config('"policy-" + variables.sandbox')} :
  v.name == "token" ? ${
    api === undefined
      ? "false"
      : `variables.role == "egress" && ${is("v", "projected.sources", TOKEN_SOURCES)} && ${is("v", "projected.defaultMode", 0o440)}`
  } :
  v.name == "budgets" ? ${
    budgets === undefined
      ? "false"
      : `variables.role == "router" && ${key} && v.secret.secretName == ${literal(budgets.secret)} &&
    ${is("v", "secret.items", [{ key: "url", path: "url" }])}`
  } :
  v.name.startsWith("secret-") ? has(v.secret) && ${literal(mapped)}[?v.name] == v.?secret :
  v.name == "scratch" && ${is("v", "emptyDir.medium", "Memory")} && ${scratch})`,
    ],
  ];
}

/** What a pod cannot do without, by its role. */
const told = {
  agent: [{ name: "walls", mountPath: WALLS }],
  egress: [
    { name: "config", mountPath: places.egress.config },
    { name: "policy", mountPath: places.egress.policy },
  ],
  router: [{ name: "config", mountPath: places.router.config }],
};

export const mountRules: readonly Rule[] = [
  [
    "what a pod is told lies where it looks for it",
    `${literal(
      Object.fromEntries(
        Object.entries(told).map(([role, mounts]) => [
          role,
          mounts.map((mount) => ({ ...mount, readOnly: true })),
        ]),
      ),
    )}[?variables.role].orValue([]).all(m, m in variables.mounts)`,
  ],
  [
    "what is writable is of the pod or the workspace",
    `variables.mounts.all(m, m.?readOnly.orValue(false) || m.name == "workspace" || m.name.startsWith("scratch"))`,
  ],
  [
    "a volume of the egress or the router lies in its one place, whole: elsewhere it would cover the program or what it trusts",
    `variables.agent || variables.mounts.all(m, !has(m.subPath) && (m.name.startsWith("secret-")
  ? m.mountPath == "${SECRETS}/" + m.name.substring(7)
  : ${literal(places)}[?variables.role].orValue({})[?m.name] == optional.of(m.mountPath)))`,
  ],
  [
    "an agent's volume lies over nothing of the system's or the launcher's, at a path in its shortest form",
    `!variables.agent || variables.mounts.all(m, m.name == "walls" ? m.mountPath == "${WALLS}" && !has(m.subPath) :
  m.mountPath.matches("^(/[^/:]+)+$") && !m.mountPath.matches(${literal(String.raw`/\.{1,2}(/|$)`)}) &&
  !${literal(SYSTEM)}.exists(f, m.mountPath == f || m.mountPath.startsWith(f + "/") || f.startsWith(m.mountPath + "/")) &&
  (m.name == "workspace" ? m.?subPath == optional.of(m.mountPath.substring(1)) : !has(m.subPath)))`,
  ],
  [
    "a mount reaches no other mount of the node, and its path is written out",
    `variables.mounts.all(m, ${is("m", "mountPropagation", "None", "None")} && ${isAbsent("m", "subPathExpr")})`,
  ],
];

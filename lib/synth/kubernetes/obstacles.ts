import type { ResolvedBlueprint } from "../../blueprint/index.ts";
import type { Environment, KubernetesTarget } from "../../constructs/index.ts";
import type { SandboxWalls } from "../kubernetes.ts";
import type { Refusal } from "./refusal.ts";
import { credentialsOf, imageNamesOf } from "./warnings.ts";

/** Why `up` is refused: what is asked for and does not stand, and what the stack's configuration does not say yet. */
export function obstaclesOf(
  environment: Environment<KubernetesTarget>,
  { agents }: ResolvedBlueprint,
  readings: readonly SandboxWalls[],
): Refusal[] {
  const paths = new Map(environment.sandboxes.map((sandbox) => [sandbox.name, sandbox.node.path]));
  const { settings } = environment.target;
  const standing = new Map(readings.map(({ sandbox, walls }) => [sandbox, walls]));
  const found: Refusal[] = [];
  for (const [name, agent] of Object.entries(agents)) {
    const subject = paths.get(name) ?? name;
    for (const wall of ["files", "syscalls"] as const) {
      const of = standing.get(name)?.[wall];
      if (of?.status !== "not enforced" || agent.walls[wall] !== "required") continue;
      found.push({
        subject,
        reason: `the wall ${wall} is required and not enforced: ${of.reason}`,
        fix: `write walls: { ${wall}: best_effort }, which every status then says, or use the host target`,
      });
    }
    if (!imageNamesOf(name, agent).some((key) => Object.hasOwn(settings.images.agents, key))) {
      found.push({
        subject,
        reason: "no image is configured for it",
        fix: `set images.agents.${name} in the target's settings, by digest`,
      });
    }
    found.push(...unmapped(subject, credentialsOf(agent), settings.secrets));
  }
  const services = [
    "egress" as const,
    ...(Object.values(agents).some(({ inference }) => inference !== null) ? (["router"] as const) : []),
  ];
  for (const service of services) {
    if (settings.images[service] !== undefined) continue;
    found.push({
      subject: environment.node.path === "" ? environment.name : environment.node.path,
      reason: `no image is configured for the ${service}`,
      fix: `set images.${service} in the target's settings, by digest`,
    });
  }
  return found;
}

const unmapped = (subject: string, names: readonly string[], secrets: object): Refusal[] =>
  names
    .filter((name) => !Object.hasOwn(secrets, name))
    .map((name) => ({
      subject,
      reason: `the credential ${name} is mapped to no Secret`,
      fix: `set secrets.${name}: { secret: NAME } in the target's settings`,
    }));

import { isWithin, WORKSPACE, type ResolvedAgent } from "../blueprint/index.ts";
import { offerOf } from "../constructs/index.ts";

/** Why this target cannot give what was asked for, and the way out. */
export interface Refusal {
  readonly reason: string;
  readonly fix: string;
}

/** Everything that an agent asks for and that a host cannot enforce. */
export function refusals(agent: ResolvedAgent): Refusal[] {
  return [
    ...isolation(agent),
    ...identity(agent),
    ...writable(agent),
    ...readOnly(agent),
    ...persistence(agent),
    ...fallback(agent),
  ];
}

function isolation({ isolation: level }: ResolvedAgent): Refusal[] {
  const offer = offerOf("host", level);
  return "refused" in offer ? [{ reason: `isolation ${level}: ${offer.refused}`, fix: offer.fix }] : [];
}

function identity({ identity: numbers }: ResolvedAgent): Refusal[] {
  if (numbers === undefined) return [];
  const reason = `not enforced yet: run_as ${numbers.user}:${numbers.group}, since a host maps one user, which is called sandbox`;
  return [{ reason, fix: "write sandbox" }];
}

const WRITABLE = [WORKSPACE, "/tmp", "/dev"];

function writable({ files }: ResolvedAgent): Refusal[] {
  return files.readWrite
    .filter((path) => !WRITABLE.some((folder) => isWithin(path, folder)))
    .map((path) => ({
      reason: `${path} cannot be writable: on a host only the workspace, /tmp and devices are, the rest is read-only`,
      fix: `write ${WORKSPACE}${path} instead, or remove it from the policy`,
    }));
}

/** Landlock adds rights up along a path: what is under a writable folder is writable, whatever another rule says. */
function readOnly({ files }: ResolvedAgent): Refusal[] {
  return files.readOnly.flatMap((path) => {
    const over = files.readWrite.find((folder) => isWithin(path, folder));
    if (over === undefined) return [];
    const reason = `${path} cannot be read-only: ${over} is writable, and everything in it`;
    return [
      { reason, fix: `list the writable folders beside ${path} instead of ${over}, or remove ${path}` },
    ];
  });
}

function persistence({ persist }: ResolvedAgent): Refusal[] {
  if (persist.length === 0) {
    const reason = "persist is empty, and on a host the workspace always outlives the sandbox";
    return [{ reason, fix: `write persist: [${WORKSPACE}], and destroy the workspace when it shall go` }];
  }
  return persist
    .filter((path) => !isWithin(path, WORKSPACE))
    .map((path) => ({
      reason: `${path} cannot persist: on a host the workspace is the one folder that outlives the sandbox`,
      fix: `write ${WORKSPACE}${path === "/" ? "" : path}, or ${WORKSPACE} for all of it`,
    }));
}

function fallback({ inference }: ResolvedAgent): Refusal[] {
  const [first, second] = inference?.try ?? [];
  if (first === undefined || second === undefined) return [];
  return [
    { reason: "not enforced yet: a route falls back to no second provider", fix: `keep one: ${first.name}` },
  ];
}

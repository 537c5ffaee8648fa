import { lstatSync } from "node:fs";
import { auditFile, auditParts } from "../egress/audit-parts.ts";
import { readDenials, type Denial as Recorded } from "../egress/denials.ts";
import { NacreError } from "../error.ts";
import type { Denial } from "./api.ts";
import { escapeControls } from "./escape.ts";
import { guarded, guardFix } from "./guarded.ts";
import type { Operator } from "./operator.ts";
import { parseHostPattern } from "../policy/host-pattern.ts";

/** An egress rotates at a few MiB (one of an earlier version at 10); a file that is much longer was not written by one of ours. */
const longest = 64 * 1024 * 1024;

/** Whose denials they are, for the commands that mend them; and what the operator granted. */
export interface DeniedSandbox {
  readonly id: string;
  readonly audit: string;
  readonly operator: Pick<Operator, "file" | "grants">;
}

/** What was refused, newest last. The file is the egress', which parses an agent's bytes: nothing in it is trusted. */
export function denialsIn(sandbox: DeniedSandbox, since = 0): Denial[] {
  const all = recorded(sandbox.audit, 0);
  return (since === 0 ? all : recorded(sandbox.audit, since))
    .filter((denial) => !isProbe(denial))
    .map((denial) => (isAmbiguous(denial, all) ? ambiguous(denial) : denial))
    .map((denial) => ({
      id: denial.id,
      at: Date.parse(denial.last),
      host: escapeControls(denial.host ?? ""),
      port: denial.port ?? null,
      binary: denial.binary === undefined ? null : escapeControls(denial.binary),
      rule: denial.rule === undefined ? null : escapeControls(denial.rule),
      layer: escapeControls(denial.layer ?? ""),
      reason: escapeControls(denial.reason ?? ""),
      fix: escapeControls(fixOf(denial, sandbox)),
      allow: allowOf(denial, sandbox),
    }));
}

/** An agent can make two refusals with one id: a person who saw the one must not allow the other. */
const isAmbiguous = ({ id }: Recorded, all: readonly Recorded[]): boolean =>
  all.filter((one) => one.id === id).length > 1;

const nameIt = "name it: nacre allow SANDBOX HOST[:PORT]";

const ambiguous = (denial: Recorded): Recorded => ({
  ...denial,
  fix: { text: `something else was refused with the same id; ${nameIt}` },
});

/** Where the launcher's probes dial (`lib/launcher/src/init/probe.rs`); the audit keeps what became of it. */
const probed = ["169.254.169.254:80", "192.0.2.1:443"];
const isProbe = ({ binary, host, port }: Recorded): boolean =>
  binary === "/.nacre/probe" && probed.includes(`${host ?? ""}:${port ?? ""}`);

/** Null also for an address that the guard refuses whatever a rule says. */
function allowOf({ id, fix }: Recorded, { operator }: DeniedSandbox): Denial["allow"] {
  if (fix?.allow === undefined || !isId(id) || guarded(fix.allow, operator) !== undefined) return null;
  const { host, port, binary, method, path, query } = fix.allow;
  return {
    host: escapeControls(host),
    port,
    ...(binary === undefined ? {} : { binary: escapeControls(binary) }),
    ...(method === undefined ? {} : { method: escapeControls(method) }),
    ...(path === undefined ? {} : { path: escapeControls(path) }),
    ...(query === undefined ? {} : { query: escapeControls(query) }),
  };
}

/** A command where one mends it. It is pasted into a shell, so of the file only what has a strict form goes into it. */
function fixOf(denial: Recorded, sandbox: DeniedSandbox): string {
  const { fix, layer, id } = denial;
  if (fix === undefined) return "";
  const refused = fix.allow === undefined ? undefined : guarded(fix.allow, sandbox.operator);
  if (refused !== undefined) return guardFix(refused, sandbox.operator.file);
  if (layer === "address") return guardFix({ fix }, sandbox.operator.file);
  if (fix.allow !== undefined && isId(id)) return `nacre allow ${sandbox.id} ${id}`;
  if (fix.unblock === "all") return `nacre unblock ${sandbox.id} --all`;
  const blocked = fix.unblock === undefined ? undefined : parseHostPattern(fix.unblock);
  return blocked !== undefined && "kind" in blocked
    ? `nacre unblock ${sandbox.id} '${blocked.text}'`
    : fix.text;
}

const isId = (id: string): boolean => /^[0-9a-f]{8}$/.test(id);

/** What an `allow` of that denial opened, where there is such a denial. */
export const openedBy = (audit: string, id: string) =>
  recorded(audit, 0).find((denial) => denial.id === id)?.fix?.allow;

/** What an `allow` of that denial would open. @throws NacreError `denial_unknown`, `denial_ambiguous`, `denial_not_allowable` */
export function allowableIn(audit: string, sandbox: string, id: string) {
  const [found, other] = recorded(audit, 0).filter((denial) => denial.id === id);
  if (found === undefined)
    throw new NacreError({
      code: "denial_unknown",
      subject: `denial ${escapeControls(id)}`,
      message: `sandbox ${sandbox} has no such denial`,
      hint: `nacre denials ${sandbox} lists them`,
    });
  if (other !== undefined)
    throw new NacreError({
      code: "denial_ambiguous",
      subject: `denial ${escapeControls(id)}`,
      message: `more than one thing was refused with that id: ${[found, other].map(shown).join(" and ")}`,
      hint: nameIt,
    });
  const open = found.fix?.allow;
  if (open === undefined)
    throw new NacreError({
      code: "denial_not_allowable",
      subject: `denial ${id}`,
      message: `a rule would not open it: ${escapeControls(found.reason ?? found.layer ?? "")}`,
      hint: escapeControls(found.fix?.text ?? "nacre denials shows its fix"),
    });
  return open;
}

const shown = ({ host = "", port, method, path }: Recorded): string =>
  escapeControls([method, `${host}${port === undefined ? "" : `:${port}`}${path ?? ""}`].join(" ").trim());

function recorded(audit: string, since: number): Recorded[] {
  const files = auditParts.map((part) => auditFile(audit, part));
  const foreign = files.find((file) => {
    const found = lstatSync(file, { throwIfNoEntry: false });
    return found !== undefined && !(found.isFile() && found.size <= longest);
  });
  if (foreign === undefined) return readDenials(audit, since);
  throw new NacreError({
    code: "audit_foreign",
    subject: foreign,
    message: "is not what an egress writes",
    hint: "nacre block SANDBOX --all, and look at it",
  });
}

import { lstatSync } from "node:fs";
import { readDenials, type Denial as Recorded } from "../egress/denials.ts";
import { NacreError } from "../error.ts";
import type { Denial } from "./api.ts";
import { escapeControls } from "./escape.ts";

/** An egress rotates at 10 MiB; a file that is much longer was not written by one of ours. */
const longest = 64 * 1024 * 1024;

/** What was refused, newest last. The file is the egress', which parses an agent's bytes: nothing in it is trusted. */
export function denialsIn(audit: string, since = 0): Denial[] {
  return recorded(audit, since)
    .filter((denial) => !isProbe(denial))
    .map((denial) => ({
      id: denial.id,
      at: Date.parse(denial.last),
      host: escapeControls(denial.host ?? ""),
      port: denial.port ?? null,
      binary: denial.binary === undefined ? null : escapeControls(denial.binary),
      rule: denial.rule === undefined ? null : escapeControls(denial.rule),
      layer: escapeControls(denial.layer ?? ""),
      reason: escapeControls(denial.reason ?? ""),
      fix: escapeControls(denial.fix?.text ?? ""),
    }));
}

/** Where the launcher's probes dial (`lib/launcher/src/init/probe.rs`); the audit keeps what became of it. */
const probed = ["169.254.169.254:80", "192.0.2.1:443"];
const isProbe = ({ binary, host, port }: Recorded): boolean =>
  binary === "/.nacre/probe" && probed.includes(`${host ?? ""}:${port ?? ""}`);

/** What an `allow` of that denial would open. @throws NacreError `denial_unknown`, `denial_not_allowable` */
export function allowableIn(audit: string, sandbox: string, id: string) {
  const found = recorded(audit, 0).find((denial) => denial.id === id);
  if (found === undefined)
    throw new NacreError({
      code: "denial_unknown",
      subject: `denial ${escapeControls(id)}`,
      message: `sandbox ${sandbox} has no such denial`,
      hint: `nacre denials ${sandbox} lists them`,
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

function recorded(audit: string, since: number): Recorded[] {
  const found = lstatSync(audit, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (found.isFile() && found.size <= longest) return readDenials(audit, since);
  throw new NacreError({
    code: "audit_foreign",
    subject: audit,
    message: "is not what an egress writes",
    hint: "nacre block --all the sandbox, and look at it",
  });
}

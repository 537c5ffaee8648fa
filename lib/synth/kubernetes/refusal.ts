import { faultsError } from "../../error.ts";

/** What the target cannot do as it is asked, why, and the way out. */
export interface Refusal {
  /** The construct's path. */
  readonly subject: string;
  readonly reason: string;
  readonly fix: string;
}

/** As a preview and `nacre synth` say it. */
export const obstacleLine = ({ subject, reason, fix }: Refusal): string =>
  `up would be refused: ${subject}: ${reason}\n  fix: ${fix}`;

/**
 * Ends synthesis where anything was refused.
 * @param whole what it is about, where that is no construct with a path
 * @throws NacreError `unenforceable`, with all of them
 */
export function refuse(found: readonly Refusal[], whole: string): void {
  const [first, ...others] = found;
  if (first === undefined) return;
  throw faultsError("unenforceable", [{ ...first, subject: first.subject || whole }, ...others]);
}

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

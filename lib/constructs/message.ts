import { renderPath, type Finding } from "../blueprint/index.ts";

/** A finding as a validation of `constructs` says it: one sentence with its fix. */
export const messageOf = (finding: Finding): string =>
  `${finding.path.length === 0 ? "" : `${renderPath(finding.path)}: `}${finding.reason} (${finding.fix})`;

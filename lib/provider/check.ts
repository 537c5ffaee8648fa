import type { z } from "zod";
import { holds, isSecret, isUnknown, type Properties } from "./wire.ts";

export interface Checked {
  /** With the schema's defaults; unknowns exactly as the program wrote them. */
  readonly inputs: Properties;
  readonly failures: readonly { readonly property: string; readonly reason: string }[];
}

/** Holds inputs against a kind's schema. A property with an unknown in it is left for the real run. */
export function checkInputs(schema: z.ZodType<Properties>, news: Properties): Checked {
  const secrets = Object.keys(news).filter((key) => holds(news[key], isSecret));
  if (secrets.length > 0) {
    const reason = "takes no secret value: name the secret, and map the name in the operator's host.yaml";
    return { inputs: news, failures: secrets.map((property) => ({ property, reason })) };
  }
  const later = Object.keys(news).filter((key) => holds(news[key], isUnknown));
  const known = Object.fromEntries(Object.entries(news).filter(([key]) => !later.includes(key)));
  const parsed = schema.safeParse(known);
  if (parsed.success) return { inputs: parsed.data, failures: [] };
  const failures = parsed.error.issues
    .filter((issue) => !later.includes(String(issue.path[0])))
    .map((issue) => ({ property: issue.path.join("."), reason: issue.message }));
  return { inputs: news, failures };
}

import { referencePage } from "../blueprint/reference.ts";
import { stackConfigSchema } from "./stack-config.ts";

/** The reference of what a stack says of its environment. */
export function stackReference(): string {
  const text =
    "A stack's file says where its environment runs, each field under `config:` as `nacre:FIELD`. " +
    "It names Secrets and images; no field takes a secret.";
  return referencePage("Stack configuration", text, "nacre:", stackConfigSchema);
}

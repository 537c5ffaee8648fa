import { referencePage } from "../blueprint/index.ts";
import { operatorSchema } from "./operator.ts";

/** The reference of the operator's file. */
export function operatorReference(): string {
  const text =
    "The operator's file says what secrets and networks count on this machine: `~/.config/nacre/host.yaml`, your own, mode 0600. No repository and no agent writes it; `nacre secret set|allow` and `nacre doctor` help with it. The daemon looks at it every few seconds.";
  return referencePage("Operator's file", text, "host.yaml", operatorSchema);
}

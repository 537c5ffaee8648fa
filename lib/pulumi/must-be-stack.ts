import type { Environment } from "../constructs/index.ts";
import { NacreError } from "../error.ts";

/** A stack is one environment, and both have one name. */
export function mustBeStack({ name }: Environment, stack: string): void {
  if (name === stack) return;
  throw new NacreError({
    code: "stack_mismatch",
    subject: `environment ${name}`,
    message: `it is deployed as stack ${stack}, and a stack is one environment`,
    hint: `new Environment(${JSON.stringify(stack)}, …), or pulumi stack select ${name}`,
  });
}

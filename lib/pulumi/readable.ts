import { RunError } from "@pulumi/pulumi";
import { NacreError } from "../error.ts";

/** An error of ours is for a person: Pulumi shows a `RunError` without the stack of the program that met it. */
export function readable<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (NacreError.isInstance(error)) throw new RunError(error.toString());
    throw error;
  }
}

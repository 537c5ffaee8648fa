import type { RouterError } from "./answer.ts";

/** A request that no model answered, with what the agent is told. */
export class RouterFailure extends Error {
  readonly answer: RouterError;

  constructor(answer: RouterError, options?: ErrorOptions) {
    super(answer.message, options);
    this.name = "RouterFailure";
    this.answer = answer;
  }
}

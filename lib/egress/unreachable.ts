import { NacreError } from "../error.ts";

/** Allowed, but nothing answered: no fault of the policy. */
export class Unreachable extends NacreError {
  constructor(host: string, message: string, hint?: string) {
    super({ code: "unreachable", subject: host, message, hint });
    this.name = "Unreachable";
  }
}

import { NacreError } from "../error.ts";
import type { Denied, Destination } from "./decision.ts";

/** A denial on its way to whoever answers for it. */
export class Refused extends NacreError {
  readonly denied: Denied;
  readonly where: Destination;

  constructor(denied: Denied, where: Destination) {
    super({
      code: "policy_denied",
      subject: `${where.host}:${where.port}`,
      message: denied.reason,
      hint: denied.fix.text,
    });
    this.name = "Refused";
    this.denied = denied;
    this.where = where;
  }
}

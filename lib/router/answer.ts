import type { ServerResponse } from "node:http";
import type { Denied } from "../policy/decision.ts";
import { denialBody } from "../policy/denial.ts";

/** An answer that is no model's, in the shape that OpenAI's clients read: `{ error: { message, type, code, … } }`. */
export interface RouterError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** The smallest fix, for a person. */
  readonly hint?: string;
  /** Of a denial: the fields that agents already act on (`rule`, `layer`, `detail`, `rule_missing`, `next_steps`). */
  readonly denial?: Omit<ReturnType<typeof denialBody>, "error">;
  readonly retryAfter?: string;
}

export function deniedAnswer(denied: Denied, host: string, port: number): RouterError {
  const { error: code, ...denial } = denialBody(denied, { host, port });
  return { status: 403, code, message: denial.detail, hint: denied.fix.text, denial };
}

export function sendError(response: ServerResponse, error: RouterError): void {
  if (response.headersSent) {
    // Half an answer is out: what follows can only be its end, and it must not look like a whole one.
    response.destroy();
    return;
  }
  const { status, code, message, hint, denial } = error;
  const type = status === 403 ? "policy_denied" : status < 500 ? "invalid_request_error" : "api_error";
  const text = JSON.stringify({
    error: {
      message: hint === undefined ? message : `${message} (${hint})`,
      type,
      code,
      param: null,
      ...denial,
    },
  });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(error.retryAfter === undefined ? {} : { "retry-after": error.retryAfter }),
    // The rest of a request that was not read would be taken for the next one.
    connection: "close",
  });
  response.end(text);
}

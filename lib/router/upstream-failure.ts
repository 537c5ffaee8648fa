import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { RouterFailure } from "./failure.ts";

/** Bytes of an error that are read. */
const errorBytes = 64 * 1024;

const openAiError = z.object({
  error: z.union([
    z.string(),
    z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }),
  ]),
});

/**
 * What the agent is told of a provider's refusal. A 401 is the operator's key, not the agent's, so its text (which may
 * quote the key) stays here; redirects are never followed; of the rest the message is passed on, the key cut out.
 */
export async function upstreamFailure(
  provider: { readonly name: string; readonly model: string },
  response: IncomingMessage,
  secret: string | undefined,
): Promise<RouterFailure> {
  const status = response.statusCode ?? 0;
  const said = await messageOf(response, secret);
  const fail = (answered: number, code: string, message: string, hint?: string): RouterFailure =>
    new RouterFailure({
      status: answered,
      code,
      message: `inference provider ${provider.name}: ${message}`,
      hint,
      retryAfter: response.headers["retry-after"],
    });
  if (status === 401 || status === 403) {
    const hint = "the operator sets a valid key with nacre secret set";
    return fail(502, "credential_refused", `refused the operator's credential (${status})`, hint);
  }
  if (status === 404) {
    return fail(
      404,
      "model_unavailable",
      `has no model ${provider.model} there (404)${said}`,
      "check model and endpoint",
    );
  }
  if (status === 429) return fail(429, "rate_limited", `asks to wait (429)${said}`);
  if (status >= 300 && status < 400) {
    return fail(502, "redirect_refused", `answered with a redirect (${status})`, "name the final endpoint");
  }
  if (status >= 400 && status < 500)
    return fail(status, "provider_refused", `refused the request (${status})${said}`);
  return fail(502, "provider_failed", `failed (${status})${said}`);
}

/** `: text`, where the provider said one, bounded and without the key. */
async function messageOf(response: IncomingMessage, secret: string | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > errorBytes) break;
    }
  } catch {
    return "";
  }
  try {
    const { error } = openAiError.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
    const text = typeof error === "string" ? error : error.message;
    return `: ${withoutSecret(text, secret).slice(0, 1000)}`;
  } catch {
    return "";
  }
}

function withoutSecret(text: string, secret: string | undefined): string {
  if (secret === undefined || secret === "") return text;
  return [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString("base64"),
    Buffer.from(secret).toString("hex"),
  ].reduce((kept, form) => kept.replaceAll(form, "[redacted]"), text);
}

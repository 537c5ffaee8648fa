import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { RouterFailure } from "./failure.ts";
import type { ChatRequest } from "./provider.ts";

/** Bytes of one request. */
const requestBytes = 10 * 1024 * 1024;

/** What the router relies on; every other field passes as it came. */
const chatRequestSchema = z.looseObject({
  model: z.string().default(""),
  messages: z
    .array(z.looseObject({ role: z.enum(["system", "developer", "user", "assistant", "tool"]) }))
    .min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
});

/** Reads a chat completions request, bounded. Failures are answers. */
export async function readChatRequest(message: IncomingMessage): Promise<ChatRequest> {
  const type = message.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw bad(415, "content_type", `content-type is "${type}"`, "send application/json");
  }
  const encoding = message.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw bad(415, "content_encoding", `content-encoding is "${encoding}"`, "send the body as it is");
  }
  const text = await bodyOf(message);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(400, "invalid_json", "the body is not JSON");
  }
  const request = chatRequestSchema.safeParse(value);
  if (!request.success) {
    const [issue] = request.error.issues;
    throw bad(
      400,
      "invalid_request",
      `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a chat request"}`,
    );
  }
  return request.data as unknown as ChatRequest;
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > requestBytes) throw bad(413, "request_too_long", "the request is longer than 10 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function bad(status: number, code: string, message: string, hint?: string): RouterFailure {
  return new RouterFailure({ status, code, message, hint });
}

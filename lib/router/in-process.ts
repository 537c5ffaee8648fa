import { randomUUID } from "node:crypto";
import type { Backend, BackendAnswer } from "./backend.ts";
import type { ChatChunk, ChatModel, ChatRequest, ToolCall } from "./provider.ts";

/** Puts a model of this process into OpenAI's wire form: streamed events, or one completion. */
export class InProcessBackend implements Backend {
  readonly #model: ChatModel;

  constructor(model: ChatModel) {
    this.#model = model;
  }

  async chat(request: ChatRequest, signal: AbortSignal): Promise<BackendAnswer> {
    const chunks = this.#model.chat({ ...request, model: this.#model.id }, signal);
    const head = {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: this.#model.id,
    };
    if (request.stream === true) {
      const withUsage = request.stream_options?.include_usage === true;
      return { contentType: "text/event-stream; charset=utf-8", body: events(head, chunks, withUsage) };
    }
    const completion = await complete(head, chunks);
    return { contentType: "application/json", body: once(JSON.stringify(completion)) };
  }

  close(): void {
    // Nothing is kept.
  }
}

interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

async function* events(
  head: Head,
  chunks: AsyncIterable<ChatChunk>,
  withUsage: boolean,
): AsyncGenerator<Uint8Array> {
  const object = "chat.completion.chunk";
  let usage: ChatChunk["usage"];
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    const choice = { index: 0, delta: chunk.delta, finish_reason: chunk.finish_reason ?? null };
    yield event({ ...head, object, choices: [choice], ...(withUsage ? { usage: null } : {}) });
  }
  if (withUsage) yield event({ ...head, object, choices: [], usage: usage ?? null });
  yield Buffer.from("data: [DONE]\n\n");
}

function event(data: object): Buffer {
  return Buffer.from(`data: ${JSON.stringify(data)}\n\n`);
}

async function complete(head: Head, chunks: AsyncIterable<ChatChunk>): Promise<object> {
  let content: string | undefined;
  let finish: string | undefined;
  let usage: ChatChunk["usage"];
  const calls = new Map<number, ToolCall>();
  for await (const { delta, finish_reason, usage: counted } of chunks) {
    if (delta.content !== undefined) content = (content ?? "") + delta.content;
    for (const { index, id, type, function: called } of delta.tool_calls ?? []) {
      const known = calls.get(index);
      const parts = (known?.function.arguments ?? "") + called.arguments;
      calls.set(index, {
        id: known?.id ?? id,
        type,
        function: { name: known?.function.name ?? called.name, arguments: parts },
      });
    }
    finish = finish_reason ?? finish;
    usage = counted ?? usage;
  }
  const toolCalls = [...calls].sort(([a], [b]) => a - b).map(([, call]) => call);
  const message = {
    role: "assistant",
    content: content ?? null,
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
  };
  return {
    ...head,
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: finish ?? "stop" }],
    ...(usage === undefined ? {} : { usage }),
  };
}

// eslint-disable-next-line @typescript-eslint/require-await -- an async iterable is what a body is
async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** An inference provider that answers inside this process (the demo model): chunks in OpenAI's streaming shape. */
export interface ChatModel {
  /** The model's identifier, as `GET /v1/models` lists it. */
  readonly id: string;
  /**
   * Answers one request. The router turns the chunks into server-sent events or into one completion, as the agent
   * asked; it stops iterating and aborts `signal` when the agent hangs up.
   */
  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<ChatChunk>;
}

/** What the router reads of a chat completions request; every other field passes as it came. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly tools?: readonly ChatTool[];
  readonly tool_choice?: unknown;
  readonly [field: string]: unknown;
}

export interface ChatMessage {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool";
  readonly content?: string | readonly ContentPart[] | null;
  readonly name?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly tool_call_id?: string;
}

export interface ContentPart {
  readonly type: string;
  readonly text?: string;
  readonly [field: string]: unknown;
}

export interface ChatTool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    readonly parameters?: Readonly<Record<string, unknown>>;
  };
}

export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

/** One step of an answer. The router adds `id`, `object`, `created` and `model`. */
export interface ChatChunk {
  readonly delta: {
    readonly role?: "assistant";
    readonly content?: string;
    readonly tool_calls?: readonly (ToolCall & { readonly index: number })[];
  };
  /** On the last chunk only. */
  readonly finish_reason?: "stop" | "length" | "tool_calls";
  /** On the last chunk, where known. */
  readonly usage?: Usage;
}

/** Tokens, as the provider counted them. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

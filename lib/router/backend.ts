import type { ChatRequest } from "./provider.ts";

/** An answer under way. `body` is OpenAI's wire form: server-sent events or one JSON object. */
export interface BackendAnswer {
  readonly contentType: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** What answers a route: an upstream or a model in this process. Failures are `RouterFailure`. */
export interface Backend {
  /** @param signal aborted when the agent hangs up */
  chat(request: ChatRequest, signal: AbortSignal): Promise<BackendAnswer>;
  /** Lets go of what is kept between requests. */
  close(): void;
}

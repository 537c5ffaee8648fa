import { request, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { linesOf } from "../egress/lines.ts";
import { NacreError } from "../error.ts";
import { isCode } from "./state.ts";

/** Where an agent's own server answers on the host's loopback, and the token that it wants. */
export interface AgentConnection {
  readonly url: string;
  readonly token: string;
}

export interface AskOptions {
  /**
   * For the whole answer.
   * @default ten minutes
   */
  readonly timeoutMs?: number;
  /**
   * A conversation to go on with; `main` is the one that the agent's own pages open with.
   * @default `ask`, so that one question follows from the one before
   */
  readonly session?: string;
  readonly signal?: AbortSignal;
  /**
   * How long a port that nobody listens on is tried again: an egress that is being restarted is back within that.
   * @default five seconds
   */
  readonly reconnectMs?: number;
}

export interface Answer {
  /** The agent's own words: escape them before a person reads them on a terminal. */
  readonly text: string;
  /** Of the request, as this side measured it. */
  readonly milliseconds: number;
}

/**
 * Gives the agent a task and resolves to its answer. Speaks to the agent's server, over the port that is published for
 * it: no program is started, so what a question costs is the agent's own turn. Hanging up ends the agent's turn.
 *
 * @throws NacreError `agent_unreachable`, `agent_refused` (its token), `agent_failed` (it says why), `timed_out`
 */
export async function ask(
  connection: AgentConnection,
  message: string,
  { timeoutMs = 600_000, session = "ask", signal, reconnectMs = 5_000 }: AskOptions = {},
): Promise<Answer> {
  checkSession(session);
  const started = performance.now();
  const deadline = AbortSignal.timeout(timeoutMs);
  const ended = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    const response = await post(connection, session, message, ended, started + reconnectMs);
    if (response.statusCode !== 200) throw await refusal(response);
    return { text: await spoken(response), milliseconds: performance.now() - started };
  } catch (error) {
    if (deadline.aborted) throw late(timeoutMs, error);
    signal?.throwIfAborted();
    throw error instanceof NacreError ? error : unreachable(connection, error);
  }
}

/** Nothing was said yet where a connection is refused, so trying again asks nothing twice. */
async function post(
  connection: AgentConnection,
  session: string,
  message: string,
  signal: AbortSignal,
  until: number,
): Promise<IncomingMessage> {
  for (;;) {
    try {
      return await postOnce(connection, session, message, signal);
    } catch (error) {
      if (!isCode(error, "ECONNREFUSED") || performance.now() >= until) throw error;
      await sleep(100, undefined, { signal });
    }
  }
}

/** Streamed, so that a long turn is no silent connection, which something on the way might end. */
function postOnce(
  { url, token }: AgentConnection,
  session: string,
  content: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const body = JSON.stringify({
    model: "openclaw/default",
    stream: true,
    messages: [{ role: "user", content }],
  });
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-openclaw-session-key": session,
  };
  return new Promise((resolve, reject) => {
    const asked = request(new URL("/v1/chat/completions", url), {
      method: "POST",
      headers,
      signal,
      agent: false,
    });
    asked.once("response", resolve);
    asked.once("error", reject);
    asked.end(body);
  });
}

const eventSchema = z.union([
  z.object({ error: z.object({ message: z.string() }) }),
  z.object({
    choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }).optional() })),
  }),
]);

/** The words of the stream, once it said that it is complete. */
async function spoken(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const line of linesOf(response, maximumAnswer, endless)) {
    if (!line.startsWith("data:")) continue;
    const data = line.slice("data:".length).trim();
    if (data === "[DONE]") return text;
    const event = eventSchema.safeParse(parsed(data));
    if (!event.success) throw failed("its answer is not a chat completion");
    if ("error" in event.data) throw failed(event.data.error.message);
    text += event.data.choices.map(({ delta }) => delta?.content ?? "").join("");
    if (text.length > maximumAnswer) throw failed(`its answer is longer than ${maximumAnswer} characters`);
  }
  throw failed("its answer broke off");
}

const maximumAnswer = 8 * 1024 * 1024;

const endless = (): NacreError => failed("its answer is one endless line");

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function refusal(response: IncomingMessage): Promise<NacreError> {
  let body = "";
  for await (const line of linesOf(response, maximumAnswer, endless))
    body = body.length > 4096 ? body : body + line;
  const said = z.object({ error: z.object({ message: z.string() }) }).safeParse(parsed(body));
  const reason = said.success ? said.data.error.message : body.slice(0, 200);
  const status = response.statusCode ?? 0;
  if (status === 401 || status === 403)
    return new NacreError({
      code: "agent_refused",
      subject: "the agent's server",
      message: `does not take the token that it was started with (${status} ${reason})`,
      hint: "its configuration was changed inside: .openclaw/openclaw.json of its workspace must include Nacre's gateway.json",
    });
  return failed(`${status} ${reason}`.trim());
}

function checkSession(session: string): void {
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(session)) return;
  throw new NacreError({
    code: "usage_session",
    subject: `session ${JSON.stringify(session)}`,
    message: "is no name of a conversation",
    hint: "small letters, digits, - and _, at most 64: --session trip-to-oslo",
  });
}

const failed = (reason: string): NacreError =>
  new NacreError({
    code: "agent_failed",
    subject: "the agent",
    message: `gave no answer: ${reason}`,
    hint: "nacre logs shows what happened; nacre denials, whether it was refused something",
  });

const late = (timeoutMs: number, cause: unknown): NacreError =>
  new NacreError(
    {
      code: "timed_out",
      subject: "the agent",
      message: `did not answer within ${timeoutMs / 1000} s`,
      hint: "give it longer: --timeout 30m",
    },
    { cause },
  );

const unreachable = ({ url }: AgentConnection, cause: unknown): NacreError =>
  new NacreError(
    {
      code: "agent_unreachable",
      subject: `the agent's server at ${url}`,
      message: `does not answer: ${cause instanceof Error ? cause.message || String(cause) : String(cause)}`,
      hint: "nacre status says whether it runs; it takes some seconds to start",
    },
    { cause },
  );

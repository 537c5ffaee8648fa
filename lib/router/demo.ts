import { createHash } from "node:crypto";
import { errandsOf, type Errand } from "./demo-errand.ts";
import type { ChatChunk, ChatMessage, ChatModel, ChatRequest, ChatTool, ToolCall } from "./provider.ts";

/**
 * A model without a model: deterministic, no network, and it says that it is a demo. Asked to read a file or to run a
 * command, it calls the tool that it was offered and answers with what the tool gave, so the whole way from an agent's
 * question through the router, the agent's tools and back is the real one.
 */
export function demoModel(id = "demo"): ChatModel {
  return {
    id,
    async *chat(request, signal) {
      await Promise.resolve();
      for (const chunk of chunksOf(replyTo(request), request)) {
        if (signal.aborted) return;
        yield chunk;
      }
    },
  };
}

/** What the demo says next: words, or one tool call. */
export type DemoReply =
  { readonly kind: "text"; readonly text: string } | { readonly kind: "call"; readonly call: ToolCall };

/** Tool calls in answer to one message. A demo that could go on for ever would: agents loop until told to stop. */
const maximumCalls = 4;
const maximumQuoted = 8_000;
/** Letters and digits only: agents rewrite other characters of an id before they send it back. */
const callPrefix = "nacredemo";

/** Pure. The turn is what follows the last answer in words; in it, each errand costs one call. */
export function replyTo(request: ChatRequest): DemoReply {
  const turn = currentTurn(request.messages);
  const asked = lastErrands(turn);
  if (asked === undefined) return { kind: "text", text: greeting(turn) };

  const calls = turn.slice(asked.at).flatMap((message) => ownCalls(message));
  const next = asked.errands[calls.length];
  if (next === undefined || calls.length >= maximumCalls || lacksResult(calls, turn)) {
    return { kind: "text", text: report(asked.errands, calls, turn) };
  }
  const tool = request.tool_choice === "none" ? undefined : toolFor(next, request.tools ?? []);
  if (tool === undefined) return { kind: "text", text: noTool(next) };
  const seed = `${request.messages.length} ${calls.length} ${JSON.stringify(next)}`;
  const digest = createHash("sha256").update(seed).digest("hex").slice(0, 12);
  const call = { id: `${callPrefix}${digest}`, type: "function", function: tool } as const;
  return { kind: "call", call };
}

function currentTurn(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const said = messages.findLastIndex(
    ({ role, tool_calls }) => role === "assistant" && (tool_calls ?? []).length === 0,
  );
  return messages.slice(said + 1);
}

/**
 * The errands of the last message in the turn that has any. Not of the last message: OpenClaw appends one of its own
 * after a tool's result, with the role `user`, and a demo that looked at that one alone would call its tool for ever.
 */
function lastErrands(turn: readonly ChatMessage[]) {
  for (let at = turn.length - 1; at >= 0; at -= 1) {
    const message = turn[at];
    if (message?.role !== "user") continue;
    const errands = errandsOf(textOf(message)).slice(0, maximumCalls);
    if (errands.length > 0) return { at, errands };
  }
  return undefined;
}

const ownCalls = ({ role, tool_calls }: ChatMessage): readonly ToolCall[] =>
  role === "assistant" ? (tool_calls ?? []).filter(({ id }) => id.startsWith(callPrefix)) : [];

const resultOf = (call: ToolCall, turn: readonly ChatMessage[]): string | undefined => {
  const message = turn.find(({ role, tool_call_id }) => role === "tool" && tool_call_id === call.id);
  return message === undefined ? undefined : textOf(message);
};

/** A call without a result will not get one by more calls: the agent stopped, or refused. */
const lacksResult = (calls: readonly ToolCall[], turn: readonly ChatMessage[]): boolean =>
  calls.some((call) => resultOf(call, turn) === undefined);

/** The offered tool for an errand, with its arguments named as its schema names them. */
function toolFor(errand: Errand, offered: readonly ChatTool[]): ToolCall["function"] | undefined {
  const read = errand.kind === "read" ? find(offered, ["read", "read_file"]) : undefined;
  if (read !== undefined) return called(read, ["path", "file_path", "filePath", "file"], errand.what);
  const exec = find(offered, ["exec", "bash", "shell", "run_command"]);
  if (exec === undefined) return undefined;
  return called(
    exec,
    ["command", "cmd"],
    errand.kind === "read" ? `cat -- ${quoted(errand.what)}` : errand.what,
  );
}

const find = (offered: readonly ChatTool[], names: readonly string[]): ChatTool | undefined =>
  names.flatMap((name) => offered.find((tool) => tool.function.name === name) ?? [])[0];

function called(tool: ChatTool, known: readonly string[], value: string): ToolCall["function"] {
  const properties = Object.keys((tool.function.parameters?.["properties"] as object | undefined) ?? {});
  const name = known.find((candidate) => properties.includes(candidate)) ?? known[0] ?? "";
  return { name: tool.function.name, arguments: JSON.stringify({ [name]: value }) };
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function report(
  errands: readonly Errand[],
  calls: readonly ToolCall[],
  turn: readonly ChatMessage[],
): string {
  const parts = calls.map((call, index) => {
    const errand = errands[index];
    const result = resultOf(call, turn);
    const subject =
      errand?.kind === "read" ? `The file ${errand.what}` : `The command \`${errand?.what ?? ""}\``;
    if (result === undefined) return `${subject}: the tool gave no result.`;
    const cut = result.length > maximumQuoted ? `\n(cut: ${result.length} characters in all)` : "";
    return `${subject} gives:\n${result.slice(0, maximumQuoted).trimEnd()}${cut}`;
  });
  return [introduction, ...parts].join("\n\n");
}

const introduction = "This is Nacre's demo model: no real model is behind it.";

function greeting(turn: readonly ChatMessage[]): string {
  const first = turn.find(({ role }) => role === "user");
  const heard = first === undefined ? "" : ` You said: “${firstLine(textOf(first))}”`;
  return (
    `${introduction} It can show that an agent's tools work: ask it to “read the file note.txt”, ` +
    `or write “run: uname -a”.${heard}`
  );
}

const noTool = ({ kind, what }: Errand): string =>
  `${introduction} It was offered no tool ${kind === "read" ? `to read ${what} with` : `to run \`${what}\` with`}.`;

function firstLine(text: string): string {
  const line =
    text
      .split("\n")
      .find((candidate) => candidate.trim() !== "")
      ?.trim() ?? "";
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ text }) => text ?? "").join("\n");
}

function* chunksOf(reply: DemoReply, { messages }: ChatRequest): Generator<ChatChunk> {
  const usage = tokens(
    messages.map(textOf).join(""),
    reply.kind === "text" ? reply.text : JSON.stringify(reply.call),
  );
  yield { delta: { role: "assistant", content: "" } };
  if (reply.kind === "call") {
    yield { delta: { tool_calls: [{ index: 0, ...reply.call }] } };
    yield { delta: {}, finish_reason: "tool_calls", usage };
    return;
  }
  // In pieces of a few words, as real models stream.
  for (const [content] of reply.text.matchAll(/(?:\S+\s*){1,8}|\s+/g)) yield { delta: { content } };
  yield { delta: {}, finish_reason: "stop", usage };
}

/** There is no tokeniser here: four characters are counted as one token. */
function tokens(prompt: string, completion: string) {
  const [prompt_tokens, completion_tokens] = [prompt, completion].map((text) =>
    Math.ceil(text.length / 4),
  ) as [number, number];
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { connect, createServer as createTcpServer, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../../lib/host/ask.ts";

/** An agent's server as far as the wire goes; the real one is asked in the slow tests. */
async function serving(answer: RequestListener) {
  const server = createServer(answer);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "sesame" };
}

/** A port that nobody listens on. */
async function closed(): Promise<AddressInfo> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return address;
}

const event = (value: unknown): string =>
  `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`;
const words = (content: string): string => event({ choices: [{ index: 0, delta: { content } }] });

async function bodyOf(request: IncomingMessage): Promise<any> {
  let text = "";
  for await (const piece of request) text += String(piece);
  return JSON.parse(text);
}

function stream(response: ServerResponse, ...pieces: readonly string[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const piece of pieces) response.write(piece);
  response.end();
}

test("gives the message to the agent's server with its token, and resolves to all of its words", async () => {
  let seen: unknown;
  const agent = await serving((request, response) => {
    void bodyOf(request).then(({ messages }) => {
      const { authorization, "x-openclaw-session-key": session } = request.headers;
      seen = { url: request.url, authorization, session, messages };
      const split = words("näcre");
      stream(
        response,
        event({ choices: [{ delta: { role: "assistant" } }] }),
        words("The file says "),
        split.slice(0, 30),
        split.slice(30),
        event("[DONE]"),
      );
    });
  });
  const answer = await ask(agent, "what does note.txt say?", { session: "trip" });
  expect(answer.text).toBe("The file says näcre");
  expect(answer.milliseconds).toBeGreaterThan(0);
  expect(seen).toEqual({
    url: "/v1/chat/completions",
    authorization: "Bearer sesame",
    session: "trip",
    messages: [{ role: "user", content: "what does note.txt say?" }],
  });
});

test("a stopped agent is said to be so", async () => {
  const { url, token } = await serving(() => undefined);
  const gone = { url: url.replace(/\d+$/, "1"), token };
  await expect(ask(gone, "hi", { reconnectMs: 0 })).rejects.toMatchObject({
    code: "agent_unreachable",
    hint: expect.stringContaining("nacre status"),
  });
});

test("a port that is about to be published again is waited for", async () => {
  const { url, token } = await serving((_request, response) => {
    stream(response, words("back"), event("[DONE]"));
  });
  const { port: free } = await closed();
  const relay = createTcpServer((socket) => socket.pipe(connect(Number(new URL(url).port))).pipe(socket));
  onTestFinished(() => void relay.close());
  setTimeout(() => relay.listen(free, "127.0.0.1"), 300);
  expect((await ask({ url: `http://127.0.0.1:${free}`, token }, "hi")).text).toBe("back");
});

test("a published port behind which nothing listens is an agent that does not answer", async () => {
  const agent = await serving((request) => request.socket.destroy());
  await expect(ask(agent, "hi")).rejects.toMatchObject({
    code: "agent_unreachable",
    message: expect.stringContaining("socket hang up"),
  });
});

test.for([
  [
    "a failed turn",
    200,
    event({ choices: [] }) + event({ error: { message: "upstream provider timeout" } }) + event("[DONE]"),
    "upstream provider timeout",
  ],
  ["an answer that breaks off", 200, words("half an ans"), "broke off"],
  ["something else than a completion", 200, event({ hello: 1 }), "not a chat completion"],
  ["an error of the server", 500, '{"error":{"message":"out of memory"}}', "500 out of memory"],
  ["a server that is no agent", 404, "nope", "404 nope"],
] as const)("%s is no answer", async ([, status, body, reason]) => {
  const agent = await serving((_request, response) => void response.writeHead(status).end(body));
  await expect(ask(agent, "hi")).rejects.toMatchObject({
    code: "agent_failed",
    message: expect.stringContaining(reason),
  });
});

test("another token is refused, and the reason is where to look", async () => {
  const agent = await serving(
    (_request, response) => void response.writeHead(401).end('{"error":{"message":"Unauthorized"}}'),
  );
  await expect(ask(agent, "hi")).rejects.toMatchObject({
    code: "agent_refused",
    hint: expect.stringContaining("openclaw.json"),
  });
});

test("no answer in time ends the wait, and hangs up", async () => {
  let hungUp: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (hungUp = resolve));
  const agent = await serving((_request, response) => {
    response.once("close", hungUp);
    response.writeHead(200).write(words("I am thinking"));
  });
  await expect(ask(agent, "hi", { timeoutMs: 200 })).rejects.toMatchObject({ code: "timed_out" });
  await closed;
});

test("who asked may stop waiting", async () => {
  const agent = await serving(() => undefined);
  const gone = new AbortController();
  setTimeout(() => gone.abort(new Error("ctrl-c")), 50);
  await expect(ask(agent, "hi", { signal: gone.signal })).rejects.toThrow("ctrl-c");
});

test("a session's name cannot smuggle a header or another agent's conversation", async () => {
  for (const session of ["a\r\nx: y", "agent:other:main", "", "A"]) {
    await expect(ask({ url: "http://127.0.0.1:1", token: "t" }, "hi", { session })).rejects.toMatchObject({
      code: "usage_session",
    });
  }
});

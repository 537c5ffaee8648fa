import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { issue, makeAuthority } from "../../lib/egress/authority.ts";

/** What an upstream saw of one request. */
export interface Seen {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
  readonly aborted: () => boolean;
}

export type Answerer = (seen: Seen, response: http.ServerResponse) => void;

/** An inference provider that follows OpenAI's wire format, over TLS on loopback, with a certificate for `names`. */
export class UpstreamDouble {
  readonly certificate: string;
  readonly seen: Seen[] = [];
  connections = 0;
  answer: Answerer = completion("hello");
  readonly #server: http.Server;

  constructor(name: string, secure = true) {
    const authority = makeAuthority("upstream");
    this.certificate = authority.certificate;
    const { certificate: cert, key } = issue(authority, name);
    this.#server = secure ? https.createServer({ cert, key }) : http.createServer();
    this.#server.on("connection", () => this.connections++);
    this.#server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
      const chunks: Buffer[] = [];
      let aborted = false;
      response.on("close", () => (aborted = !response.writableFinished));
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString() || "{}") as Record<string, unknown>;
        const seen = { path: request.url ?? "", headers: request.headers, body, aborted: () => aborted };
        this.seen.push(seen);
        this.answer(seen, response);
      });
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  async dial(): Promise<net.Socket> {
    const socket = net.connect({ host: "127.0.0.1", port: this.port });
    await once(socket, "connect");
    return socket;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export function completion(content: string): Answerer {
  return ({ body }, response) => {
    if (body["stream"] !== true) {
      const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
      response.setHeader("content-type", "application/json");
      response.setHeader("set-cookie", "tracking=1");
      response.end(JSON.stringify({ id: "x", object: "chat.completion", model: body["model"], choices }));
      return;
    }
    response.setHeader("content-type", "text/event-stream");
    for (const part of content)
      response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: part } }] })}\n\n`);
    response.end("data: [DONE]\n\n");
  };
}

export function failing(status: number, body: unknown, headers: Record<string, string> = {}): Answerer {
  return (_seen, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

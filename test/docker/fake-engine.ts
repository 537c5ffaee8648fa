import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerEngine } from "../../lib/docker/engine.ts";

type Answer = object | ((request: IncomingMessage, response: ServerResponse) => void);

/** Answers as an engine that can't run here would: by `METHOD /path` without the query. */
export class FakeEngine {
  readonly folder = mkdtempSync(join(tmpdir(), "nacre-docker-"));
  readonly socket = join(this.folder, "docker.sock");
  readonly engine = new DockerEngine({ kind: "socket", path: this.socket });
  readonly seen: string[] = [];
  readonly #server: Server;

  private constructor(answers: Readonly<Record<string, Answer>>) {
    this.#server = createServer((request, response) => {
      const url = request.url ?? "";
      this.seen.push(`${request.method ?? ""} ${url}`);
      const answer = answers[`${request.method ?? ""} ${url.split("?")[0] ?? ""}`];
      if (typeof answer === "function") answer(request, response);
      else if (answer === undefined) respond(response, 404, { message: "page not found" });
      else respond(response, 200, answer);
    });
  }

  static async start(answers: Readonly<Record<string, Answer>>): Promise<FakeEngine> {
    const fake = new FakeEngine(answers);
    await new Promise<void>((done) => fake.#server.listen(fake.socket, done));
    return fake;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.folder, { recursive: true });
  }
}

export function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

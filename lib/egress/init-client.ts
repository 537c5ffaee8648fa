import net from "node:net";
import { z } from "zod";
import { NacreError } from "../error.ts";
import type { Caller } from "../policy/decision.ts";
import { limits } from "./limits.ts";

/** Bytes of one answer. */
const answerBytes = 1024 * 1024;

const failure = z.object({
  ok: z.literal(false),
  error: z.object({
    code: z.string(),
    subject: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
});
const ownerAnswer = z.discriminatedUnion("ok", [
  z.object({ ok: z.literal(true), path: z.string(), sha256: z.string() }),
  failure,
]);
const dialAnswer = z.discriminatedUnion("ok", [z.object({ ok: z.literal(true) }), failure]);

/** The ends of a captured connection, as the egress sees them. */
export type CapturedEnds = Pick<net.Socket, "localAddress" | "localPort" | "remoteAddress" | "remotePort">;

interface Waiting {
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The sandbox's init, over the socket that it gives to the egress: who owns a connection, and streams to ports inside.
 * One connection serves all the questions, in order; it is made anew when it broke.
 */
export class InitClient {
  readonly #path: string;
  readonly #waiting: Waiting[] = [];
  #connection: net.Socket | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The program that owns the agent's end of a captured connection; throws when it cannot be told. */
  async owner(captured: CapturedEnds): Promise<Required<Caller>> {
    const question = {
      op: "owner",
      proto: "tcp",
      local: endpoint(captured.localAddress, captured.localPort),
      remote: endpoint(captured.remoteAddress, captured.remotePort),
    };
    const answer = ownerAnswer.parse(JSON.parse(await this.#ask(question)));
    if (!answer.ok) throw new NacreError(answer.error);
    return { binary: answer.path, sha256: answer.sha256 };
  }

  /** A stream to 127.0.0.1:`port` inside the sandbox, paused. */
  async dial(port: number): Promise<net.Socket> {
    const socket = net.connect({ path: this.#path, allowHalfOpen: true });
    try {
      const answered = firstLine(socket);
      socket.write(`${JSON.stringify({ op: "dial", port })}\n`);
      const answer = dialAnswer.parse(JSON.parse(await answered));
      if (!answer.ok) throw new NacreError(answer.error);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async #ask(question: object): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const connection = (this.#connection ??= this.#connect());
    // Answers come in order, so one that is late spoils those behind it: the connection goes.
    const timer = setTimeout(
      () => connection.destroy(unanswered("init did not answer in time")),
      limits.ownerMs,
    );
    this.#waiting.push({ resolve, reject });
    connection.write(`${JSON.stringify(question)}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #connect(): net.Socket {
    const connection = net.connect({ path: this.#path });
    let buffered = "";
    connection.setEncoding("utf8");
    connection.on("data", (text: string) => {
      buffered += text;
      for (let end = buffered.indexOf("\n"); end >= 0; end = buffered.indexOf("\n")) {
        this.#waiting.shift()?.resolve(buffered.slice(0, end));
        buffered = buffered.slice(end + 1);
      }
      if (buffered.length > answerBytes) connection.destroy(unanswered("init's answer is longer than 1 MiB"));
    });
    let reason: Error = unanswered("init closed the connection");
    connection.on("error", (error) => (reason = error));
    connection.on("close", () => {
      if (this.#connection === connection) this.#connection = undefined;
      for (const waiting of this.#waiting.splice(0)) waiting.reject(reason);
    });
    return connection;
  }
}

/** The first line of a stream; what follows it stays in the stream, which is paused. */
async function firstLine(socket: net.Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let buffered = Buffer.alloc(0);
  const data = (chunk: Buffer): void => {
    buffered = Buffer.concat([buffered, chunk]);
    const end = buffered.indexOf(0x0a);
    if (end >= 0) {
      socket.pause().off("data", data);
      socket.unshift(buffered.subarray(end + 1));
      resolve(buffered.toString("utf8", 0, end));
    } else if (buffered.length > answerBytes) {
      reject(unanswered("init's answer is longer than 1 MiB"));
    }
  };
  const over = (): void => reject(unanswered("init closed the connection"));
  const timer = setTimeout(() => reject(unanswered("init did not answer in time")), limits.ownerMs);
  socket.on("data", data).once("error", reject).once("end", over).once("close", over);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off("data", data).off("error", reject).off("end", over).off("close", over);
    socket.on("error", () => undefined);
  }
}

function endpoint(address: string | undefined, port: number | undefined): string {
  const text = address ?? "";
  return text.includes(":") ? `[${text}]:${port ?? 0}` : `${text}:${port ?? 0}`;
}

function unanswered(message: string): NacreError {
  return new NacreError({ code: "init_unanswered", subject: "the sandbox's init", message });
}

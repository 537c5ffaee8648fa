import { connect, type Socket } from "node:net";
import type { z } from "zod";
import { NacreError } from "../error.ts";
import { socketPath } from "./socket-path.ts";

const answerLimit = 1024 * 1024;

interface Waiting {
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/** A connection to a sandbox' init: one JSON line asked, one JSON line answered, in order. */
export class Control {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  /** Resolves when the connection ends, which init does when it ends. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (piece: string) => {
      text += piece;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        this.#waiting.shift()?.resolve(text.slice(0, end));
        text = text.slice(end + 1);
      }
      if (text.length > answerLimit) socket.destroy();
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        for (const waiting of this.#waiting.splice(0)) waiting.reject(silent("it closed the connection"));
        resolve();
      });
    });
  }

  /** @throws NacreError `init_silent` when nobody listens at `path` */
  static async open(path: string): Promise<Control> {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    let release = (): void => undefined;
    try {
      const place = socketPath(path);
      release = place.release;
      const socket = connect({ path: place.address });
      socket.once("connect", () => resolve(socket));
      socket.once("error", reject);
      return new Control(await promise);
    } catch (error) {
      throw silent(error instanceof Error ? error.message : String(error));
    } finally {
      release();
    }
  }

  /** @throws NacreError what init answered, or `init_silent` */
  async ask<T extends { readonly ok: boolean }>(
    question: { readonly op: string; readonly [field: string]: unknown },
    answer: z.ZodType<T>,
    milliseconds = 10_000,
  ): Promise<Extract<T, { ok: true }>> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    // Answers come in order, so one that is late spoils those behind it: the connection goes.
    const timer = setTimeout(() => {
      reject(silent(`it did not answer ${question.op} within ${milliseconds / 1000} s`));
      this.close();
    }, milliseconds);
    this.#waiting.push({ resolve, reject });
    if (this.#socket.destroyed) reject(silent("it closed the connection"));
    else this.#socket.write(`${JSON.stringify(question)}\n`);
    try {
      const parsed = answer.parse(JSON.parse(await promise));
      if (!parsed.ok) throw new NacreError((parsed as unknown as Failure).error);
      return parsed as Extract<T, { ok: true }>;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface Failure {
  readonly error: ConstructorParameters<typeof NacreError>[0];
}

const silent = (message: string): NacreError =>
  new NacreError({
    code: "init_silent",
    subject: "the sandbox's init",
    message,
    hint: "nacre refresh shows whether the sandbox still runs",
  });

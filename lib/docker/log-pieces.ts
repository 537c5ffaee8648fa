import type { Readable } from "node:stream";

export interface LogPiece {
  readonly stream: "stdout" | "stderr";
  /** Bytes as the program wrote them; a line may come in pieces. */
  readonly bytes: Buffer;
}

/**
 * Takes the engine's two streams apart: each frame has 8 bytes before it, the stream's number, three zeroes and the
 * length (Engine API, "attach to a container"). What a frame holds is passed on as it comes: its length bounds nothing here.
 */
export async function* logPieces(stream: Readable): AsyncGenerator<LogPiece> {
  let rest: Buffer = Buffer.alloc(0);
  let left = 0;
  let name: LogPiece["stream"] = "stdout";
  for await (const piece of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (;;) {
      if (left > 0 && rest.length > 0) {
        const bytes = rest.subarray(0, left);
        left -= bytes.length;
        rest = rest.subarray(bytes.length);
        yield { stream: name, bytes };
      }
      if (left > 0 || rest.length < 8) break;
      name = rest[0] === 2 ? "stderr" : "stdout";
      left = rest.readUInt32BE(4);
      rest = rest.subarray(8);
    }
  }
}

/** A container with a terminal has one stream, and no frames. */
export async function* plainPieces(stream: Readable): AsyncGenerator<LogPiece> {
  for await (const bytes of stream as AsyncIterable<Buffer>) yield { stream: "stdout", bytes };
}

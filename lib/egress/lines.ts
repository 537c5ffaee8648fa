import type { Readable } from "node:stream";

/**
 * The lines of a UTF-8 text, ended by a line feed and by nothing else. (Node's `readline` also ends one at U+2028 and
 * U+2029, which JSON holds as they are: a path that an agent chose would cut its record in two.)
 * @param longest characters of one line; a longer one throws what `tooLong` gives
 */
export async function* linesOf(
  stream: Readable,
  longest: number,
  tooLong: () => Error,
): AsyncGenerator<string> {
  stream.setEncoding("utf8");
  let pieces: string[] = [];
  let length = 0;
  for await (const piece of stream as AsyncIterable<string>) {
    const [first = "", ...others] = piece.split("\n");
    pieces.push(first);
    length += first.length;
    if (length > longest) throw tooLong();
    const rest = others.pop();
    if (rest === undefined) continue;
    yield pieces.join("");
    yield* others;
    pieces = [rest];
    length = rest.length;
  }
  if (length > 0) yield pieces.join("");
}

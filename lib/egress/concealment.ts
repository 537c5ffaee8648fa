/** A shorter text could not be told from others, and keeps nobody out. */
const SHORTEST = 8;

/**
 * Takes a secret out of an answer's head: an origin that has it in a path or a query repeats it in its redirects. The
 * placeholder stands there then, or nothing, and either is where the secret is put on once more.
 */
export class Concealment {
  readonly #pattern: RegExp | undefined;
  readonly #by: string;

  constructor(secret: string, by: string) {
    this.#pattern = secret.length < SHORTEST ? undefined : new RegExp(encodable(secret), "g");
    this.#by = by;
  }

  in(text: string): string {
    return this.#pattern === undefined ? text : text.replace(this.#pattern, () => this.#by);
  }

  /** The same, of the values of `[name, value, …]`. */
  inFields(fields: readonly string[]): string[] {
    return fields.map((text, index) => (index % 2 === 0 ? text : this.in(text)));
  }
}

/** Finds the text with any of its bytes written as `%XX` (RFC 3986, 2.1). Node has a field's bytes one by one. */
function encodable(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const hex = byte.toString(16).padStart(2, "0");
      const digits = hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
      return `(?:\\x${hex}|%${digits})`;
    })
    .join("");
}

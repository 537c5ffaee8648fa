import { createHash } from "node:crypto";

/**
 * One text for one meaning: keys in code-unit order, no blanks, absent where undefined. Lists keep their order; whose
 * order means nothing is sorted before it comes here.
 */
export function canonicalJson(value: unknown): string {
  if (value instanceof CanonicalText) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = value as Readonly<Record<string, unknown>>;
    const written = Object.keys(fields)
      .filter((key) => fields[key] !== undefined)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(fields[key])}`);
    return `{${written.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** A value whose canonical form is written already: it stands for the value in a larger one. */
export class CanonicalText {
  readonly text: string;

  constructor(value: unknown) {
    this.text = canonicalJson(value);
  }
}

/** Canonical texts of values that come again and again, as one object: the rules of a preset in every agent. */
export class CanonicalTexts {
  readonly #written = new Map<object, CanonicalText>();

  of(value: object): CanonicalText {
    const text = this.#written.get(value) ?? new CanonicalText(value);
    this.#written.set(value, text);
    return text;
  }
}

/** `sha256:` and the hash, in hexadecimal, of the canonical form. */
export function digestOf(value: unknown): string {
  return digestOfText(canonicalJson(value));
}

/** `sha256:` and the hash, in hexadecimal, of a text's UTF-8 bytes. */
export function digestOfText(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

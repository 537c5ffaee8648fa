import type { Query } from "./decision.ts";

/** In bytes. */
const LONGEST = 16 * 1024;
const MOST = 1000;

const none: Query = new Map();

/**
 * The parameters of a query (without its `?`): split at `&`, then at the first `=`, `+` is a blank, escapes are UTF-8
 * (the URL standard's `application/x-www-form-urlencoded`). `unreadable` where servers differ or give up: a raw `;`
 * (some split there), a bad escape, no UTF-8, a control character, anything raw outside visible ASCII, more than 1,000
 * parameters or 16 KiB.
 */
export function readQuery(raw: string): Query {
  if (raw === "") return none;
  if (raw.length > LONGEST || /[^\x21-\x7e]|[;#]/.test(raw)) return "unreadable";
  const parts = raw.split("&");
  if (parts.length > MOST) return "unreadable";
  const query = new Map<string, string[]>();
  for (const part of parts) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? "" : decoded(part.slice(equals + 1));
    if (name === undefined || value === undefined) return "unreadable";
    const known = query.get(name);
    if (known === undefined) query.set(name, [value]);
    else known.push(value);
  }
  return query;
}

/** A query that is longer is none that a person reads before allowing it. */
const READABLE = 2048;

/** The one way to write these parameters, to be shown and kept; `undefined` where that is too long, or has none. */
export function writeQuery(query: ReadonlyMap<string, readonly string[]>): string | undefined {
  const escaped = (text: string): string => encodeURIComponent(text.toWellFormed());
  const pairs = [...query].flatMap(([name, values]) =>
    values.map((value) => `${escaped(name)}=${escaped(value)}`),
  );
  const text = pairs.join("&");
  return text.length > READABLE || readQuery(text) === "unreadable" ? undefined : text;
}

/** Whether a request has exactly these parameters with exactly these values. What is not known has not. */
export function isQuery(wanted: ReadonlyMap<string, readonly string[]>, query: Query | undefined): boolean {
  if (query === undefined || query === "unreadable" || query.size !== wanted.size) return false;
  for (const [name, values] of wanted) {
    const found = query.get(name);
    if (found?.length !== values.length || !values.every((value, index) => value === found[index]))
      return false;
  }
  return true;
}

function decoded(text: string): string | undefined {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    const read = decodeURIComponent(spaced);
    return /\p{Cc}/u.test(read) ? undefined : read;
  } catch {
    // Not two hexadecimal digits, or not UTF-8.
    return undefined;
  }
}

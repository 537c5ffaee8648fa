/** A piece of CEL in the middle of a value. */
export class Expression {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value of JSON as CEL writes it; an `Expression` in it stands for itself. */
export function literal(value: unknown): string {
  if (value instanceof Expression) return value.text;
  if (Array.isArray(value)) return `[${entriesOf(value).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value);
    const texts = entriesOf(Object.values(value));
    return `{${keys.map((key, index) => `${JSON.stringify(key)}: ${texts[index] ?? ""}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** Lists and maps are of one type in Kubernetes' CEL; what differs is said to be anything. */
function entriesOf(values: readonly unknown[]): string[] {
  const plain = values.every((value) => typeof value !== "object" && typeof value === typeof values[0]);
  return values.map((value) => (plain ? literal(value) : `dyn(${literal(value)})`));
}

/** `a.b` of something that may lack both. */
export const at = (root: string, path: string): string => `${root}.?${path.replaceAll(".", ".?")}`;

/** That the field at `path` is `value`; where it is absent, that it is taken for `absent`. */
export function is(root: string, path: string, value: unknown, absent?: unknown): string {
  const field = at(root, path);
  return absent === undefined
    ? `${field} == optional.of(${literal(value)})`
    : `${field}.orValue(${literal(absent)}) == ${literal(value)}`;
}

/** That a list at `path` has nothing in it, or is not there. */
export const isEmpty = (root: string, path: string): string => `size(${at(root, path)}.orValue([])) == 0`;

/** That nothing is at `path`. */
export const isAbsent = (root: string, path: string): string => `!${at(root, path)}.hasValue()`;

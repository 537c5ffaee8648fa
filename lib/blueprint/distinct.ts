import { canonicalJson } from "./canonical.ts";

/** Each once, in the order of their canonical text: for lists whose order has no meaning. */
export function distinct<T>(items: readonly T[]): T[] {
  const byText = new Map(items.map((item) => [canonicalJson(item), item]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

import type { Properties } from "./wire.ts";

/** One place where two property trees differ, as Pulumi writes paths: `network.github.endpoints[0].host`. */
export interface Difference {
  readonly path: string;
  /** The property that it lies in. */
  readonly root: string;
  readonly kind: "add" | "delete" | "update";
}

export function differences(olds: Properties, news: Properties): readonly Difference[] {
  return [...keysOf(olds, news)].flatMap((key) =>
    compare(pathOf("", key), olds[key], news[key]).map((found) => ({ ...found, root: key })),
  );
}

function compare(path: string, old: unknown, now: unknown): Omit<Difference, "root">[] {
  if (old === now) return [];
  if (old === undefined) return [{ path, kind: "add" }];
  if (now === undefined) return [{ path, kind: "delete" }];
  if (Array.isArray(old) && Array.isArray(now)) {
    const indices = Array.from({ length: Math.max(old.length, now.length) }, (_, index) => index);
    return indices.flatMap((index) => compare(`${path}[${index}]`, old[index], now[index]));
  }
  if (isTree(old) && isTree(now)) {
    return [...keysOf(old, now)].flatMap((key) => compare(pathOf(path, key), old[key], now[key]));
  }
  return [{ path, kind: "update" }];
}

const keysOf = (olds: Properties, news: Properties): Set<string> =>
  new Set([...Object.keys(olds), ...Object.keys(news)]);

const isTree = (value: unknown): value is Properties =>
  value !== null && typeof value === "object" && !Array.isArray(value);

function pathOf(parent: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}

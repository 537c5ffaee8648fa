import type { ClusterSettings } from "../../lib/blueprint/index.ts";

/** That nothing may stand there. */
export const ABSENT = Symbol("absent");

/** What must stand where no one value does, in words. */
export class Must {
  readonly words: string;
  readonly holds: (value: unknown) => boolean;

  constructor(words: string, holds: (value: unknown) => boolean) {
    this.words = words;
    this.holds = holds;
  }
}

/** One field that a wall stands on. */
export interface SecurityField {
  readonly path: readonly (string | number)[];
  readonly must: unknown;
  /** Values that would weaken it. Of a boolean it is the other one, of a number 0, and no text. */
  readonly weaker?: readonly unknown[];
  /** Members that would weaken a list. */
  readonly more?: readonly unknown[];
  /** Changes that close more than they open, by how they are called. */
  readonly narrower?: readonly string[];
}

/** What the values depend on. */
export interface Where {
  readonly settings: ClusterSettings;
  readonly namespace: string;
  /** `agent`, `egress` or `router`. */
  readonly role: string;
  readonly sandbox: string;
  /** What its objects are called. */
  readonly name: string;
  readonly user: number;
  readonly group: number;
  readonly isolation: "kernel" | "gvisor" | "kata";
}

export const present = new Must("something", (value) => value !== undefined);
export const filled = new Must(
  "a list that is not empty",
  (value) => Array.isArray(value) && value.length > 0,
);
export const one = new Must("one member", (value) => Array.isArray(value) && value.length === 1);

export const field = (
  path: string | readonly (string | number)[],
  must: unknown,
  more: Omit<SecurityField, "path" | "must"> = {},
): SecurityField => ({ path: typeof path === "string" ? path.split(".") : path, must, ...more });

/** What stands at a path, or `ABSENT`. */
export function valueAt(object: unknown, path: readonly (string | number)[]): unknown {
  let value = object;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !(step in value)) return ABSENT;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

import { Secret, unknown, type Properties } from "../../../lib/provider/wire.ts";

export { holds, isUnknown, type Properties } from "../../../lib/provider/wire.ts";

const isTree = (value: unknown): value is Properties =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Secret);

/** The value without its secret marks: as a cluster takes it. What is not known yet stays the mark of it. */
export function plain(value: unknown): unknown {
  if (value instanceof Secret) return plain(value.value);
  if (Array.isArray(value)) return value.map(plain);
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** `value` with the secret marks of `marked`, by place. */
export function remark(value: unknown, marked: unknown): unknown {
  if (value === undefined) return undefined;
  if (marked instanceof Secret) return new Secret(value);
  if (Array.isArray(value) && Array.isArray(marked)) {
    return value.map((inner, index) => remark(inner, marked[index]));
  }
  if (!isTree(value) || !isTree(marked)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, remark(inner, marked[key])]));
}

/**
 * The part of `live` that `inputs` speak of, which is all that the real provider's diff sees: a key that no input has,
 * and an item behind the last one of the input, are dropped (`pruneMap`, `pruneSlice` in provider/pkg/provider/util.go).
 */
export function prune(live: unknown, inputs: unknown): unknown {
  if (inputs instanceof Secret) return prune(live, inputs.value);
  if (inputs === unknown) return live;
  if (Array.isArray(live) && Array.isArray(inputs)) {
    return live.slice(0, inputs.length).map((inner, index) => prune(inner, inputs[index]));
  }
  if (!isTree(live) || !isTree(inputs)) return live;
  const kept = Object.entries(live).filter(([key]) => key in inputs);
  return Object.fromEntries(kept.map(([key, inner]) => [key, prune(inner, inputs[key])]));
}

/** Under a path of names, such as `metadata.name`; undefined where the way ends. */
export function at(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((inner, key) => (isTree(inner) ? inner[key] : undefined), plain(value));
}

export const textAt = (value: unknown, path: string): string | undefined => {
  const found = at(value, path);
  return typeof found === "string" ? found : undefined;
};

import { stringify } from "yaml";

/** One object as YAML, in block style, keys in the order of the object. */
export function renderObject(object: unknown): string {
  return stringify(object, { lineWidth: 110, aliasDuplicateObjects: false });
}

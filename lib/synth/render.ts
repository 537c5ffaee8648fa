import { stringify } from "yaml";

/** One object as YAML, in block style, keys in the order of the object. */
export function renderObject(object: unknown): string {
  // There are no tags, and looking for some is a seventh of the time.
  // kubectl and most tools read YAML 1.1, where a plain `yes` is no text.
  return stringify(object, {
    lineWidth: 110,
    aliasDuplicateObjects: false,
    directives: false,
    compat: "yaml-1.1",
  });
}

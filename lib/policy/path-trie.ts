import { type Glob, glob } from "./glob.ts";
import { everyPath } from "./path-pattern.ts";

interface Node<T> {
  /** By one literal segment. */
  children?: Map<string, Node<T>>;
  /** `*` alone: any one segment. */
  any?: Node<T>;
  /** Patterns that end here. */
  ends?: T[];
  /** Patterns whose next segment has a star among other characters, or two: matched whole. */
  open?: { readonly matches: Glob; readonly value: T }[];
}

/** Values by the pattern of a path, found in the time that the path's segments take, not the number of patterns. */
export class PathTrie<T> {
  readonly #root: Node<T> = {};

  /** `literal`: a star in it is a star. */
  add(pattern: string, value: T, literal = false): void {
    let at = this.#root;
    const matches = literal ? (text: string) => text === pattern : glob(pattern, "/");
    if (pattern === everyPath) {
      (at.open ??= []).push({ matches, value });
      return;
    }
    for (const segment of pattern.slice(1).split("/")) {
      if (!literal && segment.includes("*") && segment !== "*") {
        (at.open ??= []).push({ matches, value });
        return;
      }
      at = segment === "*" && !literal ? (at.any ??= {}) : child(at, segment);
    }
    (at.ends ??= []).push(value);
  }

  /** Every value whose pattern matches. */
  visit(path: string, visitor: (value: T) => void): void {
    walk(this.#root, path, 1, visitor);
  }
}

/** `from` is where the next segment starts; behind the end of `path`, there is none. */
function walk<T>(at: Node<T>, path: string, from: number, visitor: (value: T) => void): void {
  if (at.open !== undefined) for (const { matches, value } of at.open) if (matches(path)) visitor(value);
  if (from > path.length) {
    if (at.ends !== undefined) for (const value of at.ends) visitor(value);
    return;
  }
  const slash = path.indexOf("/", from);
  const end = slash < 0 ? path.length : slash;
  const named = at.children?.get(path.slice(from, end));
  if (named !== undefined) walk(named, path, end + 1, visitor);
  if (at.any !== undefined) walk(at.any, path, end + 1, visitor);
}

function child<T>(at: Node<T>, segment: string): Node<T> {
  at.children ??= new Map();
  const known = at.children.get(segment);
  if (known !== undefined) return known;
  const made: Node<T> = {};
  at.children.set(segment, made);
  return made;
}

/**
 * The one glob of the policy language: `*` is any run of characters without the separator (also none), `**` any run
 * at all, everything else is itself. No character classes, no `?`, no escapes: they are refused where a pattern is
 * read, so that a pattern never means something else than it seems to.
 */
export type Glob = (text: string) => boolean;

/** Compiles `pattern`; matching is linear in text × stars and never backtracks exponentially. */
export function glob(pattern: string, separator: "/" | "."): Glob {
  const parts = pattern.split(/(\*+)/).filter((part) => part !== "");
  if (parts.length === 1 && !pattern.includes("*")) return (text) => text === pattern;
  return (text) => matches(parts, text, separator);
}

export function hasStar(pattern: string): boolean {
  return pattern.includes("*");
}

/** All the positions of `text` that the parts so far can end at; a part moves the whole set on. */
function matches(parts: readonly string[], text: string, separator: string): boolean {
  let ends: ReadonlySet<number> = new Set([0]);
  for (const part of parts) {
    ends = part.startsWith("*")
      ? afterStar(ends, text, part === "*" ? separator : undefined)
      : afterText(ends, text, part);
    if (ends.size === 0) return false;
  }
  return ends.has(text.length);
}

function afterText(starts: ReadonlySet<number>, text: string, part: string): ReadonlySet<number> {
  const ends = new Set<number>();
  for (const start of starts) if (text.startsWith(part, start)) ends.add(start + part.length);
  return ends;
}

function afterStar(starts: ReadonlySet<number>, text: string, stop: string | undefined): ReadonlySet<number> {
  const ends = new Set<number>();
  for (const start of starts) {
    for (let end = start; end <= text.length && !ends.has(end); end++) {
      ends.add(end);
      if (text[end] === stop) break;
    }
  }
  return ends;
}

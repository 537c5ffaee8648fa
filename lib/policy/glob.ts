/**
 * The one glob of the policy language: `*` is any run of characters without the separator (also none), `**` any run
 * at all, everything else is itself. Where there is no separator (the value of a parameter) both are any run. No
 * character classes, no `?`, no escapes: they are refused where a pattern is read, so that a pattern never means
 * something else than it seems to.
 */
export type Glob = (text: string) => boolean;

export type Separator = "/" | "." | undefined;

const STAR = -1;
const DEEP = -2;

/** Compiles `pattern`. Matching allocates nothing; at worst it takes the square of the text's length. */
export function glob(pattern: string, separator: Separator): Glob {
  if (!hasStar(pattern)) return (text) => text === pattern;
  const tokens = tokensOf(pattern, separator);
  const stop = separator?.charCodeAt(0);
  return (text) => matches(tokens, text, stop);
}

export function hasStar(pattern: string): boolean {
  return pattern.includes("*");
}

/** Characters that are special in other globs, and three stars: refused, so that no pattern changes its meaning here. */
export function globProblem(pattern: string): { readonly reason: string; readonly fix: string } | undefined {
  const [other] = /[?[\]{}\\\0]/.exec(pattern) ?? [];
  if (other !== undefined) {
    const named = other === "\0" ? "a NUL" : `a ${other}`;
    return { reason: `"${pattern}" has ${named}, which is no glob here`, fix: "use * and ** only" };
  }
  if (pattern.includes("***")) return { reason: `"${pattern}" has three stars`, fix: "use * or **" };
  return undefined;
}

/** Codes of characters, and the two stars as negative numbers. */
function tokensOf(pattern: string, separator: Separator): readonly number[] {
  return pattern
    .split(/(\*\*?)/)
    .flatMap((part) =>
      part === "**" || (part === "*" && separator === undefined)
        ? [DEEP]
        : part === "*"
          ? [STAR]
          : Array.from({ length: part.length }, (_, index) => part.charCodeAt(index)),
    );
}

/**
 * Each star first takes as little as it can. What fails takes one character more for the last `*`; where that would
 * cross the separator, for the last `**`. Stars before those need no second try: what they left over is a superset.
 */
function matches(tokens: readonly number[], text: string, stop: number | undefined): boolean {
  let [at, token] = [0, 0];
  let [star, starAt] = [-1, 0];
  let [deep, deepAt] = [-1, 0];
  for (;;) {
    if (token < tokens.length) {
      const code = tokens[token];
      if (code === DEEP) {
        if (++token === tokens.length) return true;
        [deep, deepAt, star] = [token, at, -1];
        continue;
      }
      if (code === STAR) {
        [star, starAt] = [++token, at];
        continue;
      }
      if (at < text.length && text.charCodeAt(at) === code) {
        at++;
        token++;
        continue;
      }
    } else if (at === text.length) return true;
    if (star >= 0) {
      // It could have taken all the rest and did not fit: no later start leaves more.
      if (starAt === text.length) return false;
      if (text.charCodeAt(starAt) !== stop) {
        at = ++starAt;
        token = star;
        continue;
      }
      star = -1;
    }
    if (deep < 0 || deepAt === text.length) return false;
    at = ++deepAt;
    token = deep;
  }
}

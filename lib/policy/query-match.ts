import type { Query } from "./decision.ts";
import { type Glob, glob } from "./glob.ts";
import type { QueryMatcher } from "./language.ts";

/** One parameter that a rule names, and what its values may be. */
export interface Parameter {
  readonly name: string;
  readonly globs: readonly Glob[];
}

export function parametersOf(query: Readonly<Record<string, QueryMatcher>> = {}): readonly Parameter[] {
  return Object.entries(query).map(([name, matcher]) => ({ name, globs: globsOf(matcher) }));
}

/** The globs of a matcher, in whichever of its three forms it is written. */
export function globTexts(matcher: QueryMatcher): readonly string[] {
  if (typeof matcher === "string") return [matcher];
  return matcher.any ?? (matcher.glob === undefined ? [] : [matcher.glob]);
}

const globsOf = (matcher: QueryMatcher): Glob[] => globTexts(matcher).map((text) => glob(text, undefined));

/**
 * Allowing: every parameter is there, and each of its values matches, also of what servers read as it. What is not
 * known does not allow.
 */
export function allAllowed(parameters: readonly Parameter[], query: Query | undefined): boolean {
  if (parameters.length === 0) return true;
  if (query === undefined || query === "unreadable") return false;
  for (const { name, globs } of parameters) {
    if (!query.has(name)) return false;
    const values = valuesAlike(query, name);
    for (const value of values) if (!matchesAny(globs, value)) return false;
  }
  return true;
}

/** Denying: of every parameter one value matches. What is not known denies; what is not there does not. */
export function anyDenied(parameters: readonly Parameter[], query: Query | undefined): boolean {
  if (parameters.length === 0 || query === undefined || query === "unreadable") return true;
  for (const { name, globs } of parameters) {
    const values = valuesAlike(query, name);
    if (!values.some((value) => matchesAny(globs, value))) return false;
  }
  return true;
}

/**
 * The values of a parameter and of what servers read as it: `name[]`, `name[0]`, `name[x]` (PHP, Rack, qs), `[name]` (qs).
 * Which of them a server takes is not known.
 */
function valuesAlike(query: Exclude<Query, string>, name: string): readonly string[] {
  const values: string[] = [];
  for (const [written, all] of query)
    if (written === name || written.startsWith(`${name}[`) || written.startsWith(`[${name}]`))
      values.push(...all);
  return values;
}

function matchesAny(globs: readonly Glob[], value: string): boolean {
  for (const matches of globs) if (matches(value)) return true;
  return false;
}

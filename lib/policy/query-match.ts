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

/** Allowing: every parameter is there, and each of its values matches. What is not known does not allow. */
export function allAllowed(parameters: readonly Parameter[], query: Query | undefined): boolean {
  if (parameters.length === 0) return true;
  if (query === undefined || query === "unreadable") return false;
  for (const { name, globs } of parameters) {
    const values = query.get(name);
    if (values === undefined) return false;
    for (const value of values) if (!matchesAny(globs, value)) return false;
  }
  return true;
}

/** Denying: of every parameter one value matches. What is not known denies; what is not there does not. */
export function anyDenied(parameters: readonly Parameter[], query: Query | undefined): boolean {
  if (parameters.length === 0 || query === undefined || query === "unreadable") return true;
  for (const { name, globs } of parameters) {
    const values = query.get(name);
    if (values === undefined || !values.some((value) => matchesAny(globs, value))) return false;
  }
  return true;
}

function matchesAny(globs: readonly Glob[], value: string): boolean {
  for (const matches of globs) if (matches(value)) return true;
  return false;
}

import { faultsError, NacreError, type Fault } from "../error.ts";

/** One thing that is wrong in a file that a person wrote, and what to write instead. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** `agents.assistant.ports[0]`; empty for the whole document. */
  readonly path: string;
  readonly reason: string;
  /** The valid name that was most probably meant. */
  readonly nearest?: string | undefined;
  /** The smallest change that makes it right. */
  readonly fix: string;
}

export type Path = readonly (string | number)[];

/** A problem before it has a position: what checks of a value return. */
export interface Finding {
  readonly path: Path;
  /** Whether the key is wrong, rather than its value. */
  readonly key?: boolean;
  readonly reason: string;
  readonly nearest?: string | undefined;
  readonly fix: string;
}

/** `["agents", "a b", "ports", 0]` → `agents["a b"].ports[0]`. */
export function renderPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

/** How many problems one error lists; a file with more has one cause. */
const LISTED = 20;

/** All problems of a file as one error. */
export function problemsError(code: string, problems: readonly Problem[]): NacreError {
  const [first, ...others] = [...problems].sort(byPosition);
  if (first === undefined) throw new RangeError("an error needs at least one problem");
  const listed = others.slice(0, LISTED - 1);
  const error = faultsError(code, [faultOf(first), ...listed.map(faultOf)]);
  const more = others.length - listed.length;
  return more === 0
    ? error
    : new NacreError({ ...error.toJSON(), message: `${error.message}\n… and ${more} more` });
}

/** `blueprint.yaml:12:7`, as editors and terminals understand it. */
export const positionOf = (problem: Problem): string => `${problem.file}:${problem.line}:${problem.column}`;

const faultOf = (problem: Problem): Fault => ({
  subject: positionOf(problem),
  reason: problem.path === "" ? problem.reason : `${problem.path}: ${problem.reason}`,
  fix: problem.fix,
});

const byPosition = (a: Problem, b: Problem): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;

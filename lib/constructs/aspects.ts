import type { IConstruct } from "constructs";

/** Something that is done to every construct of a tree: a platform team's way to tighten what others wrote. */
export interface Aspect {
  visit(node: IConstruct): void;
}

const STORE = Symbol.for("nacre.dev/aspects");
const VISITED = Symbol.for("nacre.dev/aspects-visited");
/** More rounds than this only happen when aspects keep adding to each other's work for ever. */
const ROUNDS = 100;

interface Marked {
  [STORE]?: Aspect[];
  [VISITED]?: Set<Aspect>;
}

/** The aspects of one construct and everything in it. `constructs` itself has none. */
export class Aspects {
  readonly #scope: Marked;

  private constructor(scope: Marked) {
    this.#scope = scope;
  }

  static of(scope: IConstruct): Aspects {
    return new Aspects(scope as IConstruct & Marked);
  }

  /** Visits run at synthesis, outer aspects first, each construct once by each aspect. */
  add(...aspects: readonly Aspect[]): void {
    (this.#scope[STORE] ??= []).push(...aspects);
  }

  get all(): readonly Aspect[] {
    return this.#scope[STORE] ?? [];
  }
}

/** Lets every aspect visit every construct below it, also those that a visit adds. Doing it again changes nothing. */
export function invokeAspects(root: IConstruct): void {
  for (let round = 0; round < ROUNDS; round++) {
    const visits = root.node.findAll().map((node) => visit(node as IConstruct & Marked));
    if (!visits.includes(true)) return;
  }
  throw new RangeError(`aspects of ${root.node.path} add new work for ever`);
}

function visit(node: IConstruct & Marked): boolean {
  const due = node.node.scopes
    .flatMap((scope) => Aspects.of(scope).all)
    .filter((aspect) => node[VISITED]?.has(aspect) !== true);
  for (const aspect of due) {
    (node[VISITED] ??= new Set()).add(aspect);
    aspect.visit(node);
  }
  return due.length > 0;
}

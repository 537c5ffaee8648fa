import type { IConstruct } from "constructs";

/** One step of a JSON patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

export interface HatchProps {
  /** `Kind/name` of the object, as `nacre synth` writes it: `Deployment/agent-assistant`. */
  readonly object: string;
  readonly patch: readonly [PatchOperation, ...PatchOperation[]];
  /** Why the constructs do not say it; shown by every synth and preview. */
  readonly reason: string;
}

/** A change of a synthesised object, with the construct that asks for it. */
export interface Hatch extends HatchProps {
  /** The construct's path. */
  readonly by: string;
}

const STORE = Symbol.for("nacre.dev/escape-hatches");
type Marked = IConstruct & { [STORE]?: HatchProps[] };

/**
 * The way out where a construct cannot say something: a JSON patch on what it becomes in Kubernetes. It is listed by
 * `nacre synth` and by every preview, it is part of the environment's digest, and it cannot weaken a wall: synthesis
 * refuses a patch of a security field.
 */
export class EscapeHatch {
  readonly #scope: Marked;

  private constructor(scope: Marked) {
    this.#scope = scope;
  }

  static of(scope: IConstruct): EscapeHatch {
    return new EscapeHatch(scope);
  }

  patch(props: HatchProps): this {
    (this.#scope[STORE] ??= []).push(props);
    return this;
  }

  get all(): readonly Hatch[] {
    return (this.#scope[STORE] ?? []).map((props) => ({ ...props, by: this.#scope.node.path }));
  }
}

import { Construct } from "constructs";
import { nameSchema, type AgentSpec, type IsolationLevel } from "../blueprint/index.ts";
import type { AgentSandboxProps } from "./agent-sandbox-props.ts";
import { problemsOf, specOf } from "./agent-spec.ts";
import { brand, branded } from "./brand.ts";
import type { Egress } from "./egress.ts";
import type { Preset } from "./preset.ts";

/** One isolated agent: what it runs, what it may reach, which walls it needs. States intent; synthesis lowers it. */
export class AgentSandbox<I extends IsolationLevel = IsolationLevel> extends Construct {
  /** What was asked for, with what `override` changed. */
  props: AgentSandboxProps;
  #identity: string | undefined;

  constructor(scope: Construct, id: string, props: AgentSandboxProps<I>) {
    super(scope, id);
    brand(this, "AgentSandbox");
    this.props = props;
    this.node.addValidation({ validate: () => problemsOf(this.name, this.props) });
    this.node.addValidation({ validate: () => this.#formerProblems() });
  }

  /** Whether it is a sandbox, of this copy of the package or of another. */
  static isInstance(value: unknown): value is AgentSandbox {
    return branded(value, "AgentSandbox");
  }

  /** Replaces properties: the way for aspects and for whoever wraps a sandbox. Lists are replaced, not appended to. */
  override(props: Partial<AgentSandboxProps>): this {
    this.props = { ...this.props, ...props };
    return this;
  }

  /** Adds places that it may reach. */
  addEgress(...egress: readonly (Egress | Preset)[]): this {
    return this.override({ egress: [...(this.props.egress ?? []), ...egress] });
  }

  /**
   * Says that what was deployed as `from` is this sandbox now. In Kubernetes its objects keep their old names, so none of
   * them is replaced and the claim stays; a host keeps workspaces by name, and refuses it.
   */
  moved(from: string): this {
    this.#identity = from;
    return this;
  }

  #formerProblems(): string[] {
    if (this.#identity === undefined || nameSchema.safeParse(this.#identity).success) return [];
    return [`moved from no name: ${this.#identity} (write the name that it was deployed as)`];
  }

  /** The name that its objects have: its own, unless it was moved. */
  get identity(): string {
    return this.#identity ?? this.name;
  }

  /** Its name in the environment. */
  get name(): string {
    if (this.props.name !== undefined) return this.props.name;
    const ids = this.node.scopes.map((scope) => scope.node.id);
    return ids.findLast((id) => id !== "Default" && id !== "Resource") ?? this.node.id;
  }

  /** The same intent as a blueprint states it. */
  get spec(): AgentSpec {
    return specOf(this.props);
  }
}

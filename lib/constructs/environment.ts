import { RootConstruct, type IConstruct } from "constructs";
import {
  CanonicalTexts,
  misfits,
  nameSchema,
  warningsOf,
  type Blueprint,
  type BlueprintMetadata,
  type Overlay,
} from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { AgentSandbox } from "./agent-sandbox.ts";
import { invokeAspects } from "./aspects.ts";
import { brand, branded } from "./brand.ts";
import { EscapeHatch, type Hatch } from "./escape-hatch.ts";
import { addAgents } from "./from-blueprint.ts";
import { Gateway } from "./gateway.ts";
import { Namespace } from "./namespace.ts";
import { PrivacyRouter } from "./privacy-router.ts";
import type { Target } from "./target.ts";

export interface EnvironmentProps<T extends Target = Target> {
  /** Where it runs. */
  readonly target: T;

  /**
   * The project that owns it: together with the environment's name, the identity of its workspaces.
   * @default the Pulumi project's name
   */
  readonly project?: string;

  /**
   * Name and version of the blueprint that this tree states. Labels only.
   * @default the environment's name, 0.0.0
   */
  readonly metadata?: BlueprintMetadata;

  /**
   * What this environment sets for itself: host ports, sizes.
   * @default nothing
   */
  readonly overlay?: Overlay;
}

/** One deployment of a blueprint: `dev`, `staging`, `prod`. The root of a construct tree, and one Pulumi stack. */
export class Environment<T extends Target = Target> extends RootConstruct {
  readonly name: string;
  readonly target: T;
  readonly project: string | undefined;
  readonly overlay: Overlay;
  readonly metadata: BlueprintMetadata;

  constructor(name: string, props: EnvironmentProps<T>) {
    super(name);
    brand(this, "Environment");
    this.name = name;
    this.target = props.target;
    this.project = props.project;
    this.overlay = props.overlay ?? {};
    this.metadata = props.metadata ?? { name, version: "0.0.0" };
    this.node.addValidation({ validate: () => problemsOf(this) });
  }

  /** Whether it is an environment, of this copy of the package or of another. */
  static isInstance(value: unknown): value is Environment {
    return branded(value, "Environment");
  }

  /**
   * The environment that a construct stands in: how an aspect or a library learns the target.
   * @throws NacreError `invalid_environment` where the root of its tree is none
   */
  static of(construct: IConstruct): Environment {
    const { root } = construct.node;
    if (Environment.isInstance(root)) return root;
    throw new NacreError({
      code: "invalid_environment",
      subject: construct.node.path,
      message: "it stands in no environment",
      hint: "make new Environment(…) the root of its tree",
    });
  }

  /** The tree that a blueprint states: one `AgentSandbox` an agent, and a `PrivacyRouter` for its routes. */
  static fromBlueprint<T extends Target>(
    name: string,
    blueprint: Blueprint,
    props: EnvironmentProps<T>,
  ): Environment<T> {
    const environment = new Environment(name, { metadata: blueprint.metadata, ...props });
    addAgents(environment, blueprint);
    return environment;
  }

  /** Every sandbox of the tree, at any depth, in order of name. */
  get sandboxes(): readonly AgentSandbox[] {
    return this.node
      .findAll()
      .filter((node) => AgentSandbox.isInstance(node))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The tree's gateway: that of an environment in a container. */
  get gateway(): Gateway | undefined {
    return this.node.findAll().find((node) => Gateway.isInstance(node));
  }

  /** The tree's own namespace. */
  get namespace(): Namespace | undefined {
    return this.node.findAll().find((node) => Namespace.isInstance(node));
  }

  /** Every escape hatch of the tree, in the order of its constructs. */
  get hatches(): readonly Hatch[] {
    return this.node.findAll().flatMap((node) => EscapeHatch.of(node).all);
  }

  /**
   * What the tree states, after its aspects and validations: the same value that reading a file gives.
   * @throws NacreError `invalid_environment`, with every problem and the construct path of each.
   */
  toBlueprint(): Blueprint {
    invokeAspects(this);
    const problems = this.node
      .findAll()
      .flatMap((node) => node.node.validate().map((message) => `${node.node.path}: ${message}`));
    if (problems.length > 0) {
      throw new NacreError({
        code: "invalid_environment",
        subject: `environment ${this.name}`,
        message: problems.join("\n"),
      });
    }
    return stateOf(this);
  }
}

/** `Environment.fromBlueprint`, for callers that have everything in one place. */
export function environmentOf<T extends Target>(
  blueprint: Blueprint,
  options: Omit<EnvironmentProps<T>, "metadata"> & { readonly environment: string },
): Environment<T> {
  const { environment, ...props } = options;
  return Environment.fromBlueprint(environment, blueprint, props);
}

function stateOf(environment: Environment): Blueprint {
  const agents = Object.fromEntries(environment.sandboxes.map((sandbox) => [sandbox.name, sandbox.spec]));
  const routers = environment.node.findAll().filter((node) => PrivacyRouter.isInstance(node));
  const routes = Object.fromEntries(routers.flatMap((router) => Object.entries(router.routes)));
  return { metadata: environment.metadata, agents, routes, warnings: warningsOf(agents) };
}

function problemsOf(environment: Environment): string[] {
  const name = nameSchema.safeParse(environment.name);
  const unnamed = name.success ? [] : [`not a name: ${name.error.issues[0]?.message ?? ""}`];
  const state = stateOf(environment);
  const empty = Object.keys(state.agents).length > 0 ? [] : ["it has no sandbox (add an AgentSandbox)"];
  const others = [...sharedNames(environment), ...sharedProviders(state), ...ofTarget(environment)];
  return [...unnamed, ...empty, ...others, ...misfits(environment.overlay, state)];
}

/** One container and one namespace an environment; a gateway only where the target has one. */
function ofTarget(environment: Environment): string[] {
  const nodes = environment.node.findAll();
  const gateways = nodes.filter((node) => Gateway.isInstance(node));
  const namespaces = nodes.filter((node) => Namespace.isInstance(node));
  const [gateway] = gateways;
  return [
    ...(gateway !== undefined && environment.target.kind !== "gateway"
      ? [
          `${gateway.node.path} is a gateway, and the target is ${environment.target.kind} (Target.gateway(), or remove it)`,
        ]
      : []),
    ...[gateways, namespaces].flatMap((same) =>
      same.length < 2
        ? []
        : [
            `${same.map((node) => node.node.path).join(" and ")}: an environment has one of them (remove the others)`,
          ],
    ),
  ];
}

function sharedNames({ sandboxes }: Environment): string[] {
  const byName = Map.groupBy(sandboxes, (sandbox) => sandbox.name);
  return [...byName].flatMap(([shared, [first, second]]) =>
    first === undefined || second === undefined
      ? []
      : [`${first.node.path} and ${second.node.path} are both called ${shared} (give one of them a name)`],
  );
}

/** One name is one provider: status and audit say nothing but the name. */
function sharedProviders({ agents }: Blueprint): string[] {
  const specs = Object.values(agents).flatMap(({ inference }) => inference?.try ?? []);
  const byName = Map.groupBy(specs, (spec) => spec.name);
  const texts = new CanonicalTexts();
  return [...byName]
    .filter(([, same]) => new Set(same.map((spec) => texts.of(spec).text)).size > 1)
    .map(([name]) => `two different inference providers are called ${name} (give one of them a name)`);
}

import { Construct } from "constructs";
import { nameSchema, type RouteSpec } from "../blueprint/index.ts";
import { brand, branded } from "./brand.ts";
import { messageOf } from "./message.ts";
import type { Route } from "./route.ts";

export interface PrivacyRouterProps {
  /** Routes by name; sandboxes take theirs with `route(name)`. */
  readonly routes: Readonly<Record<string, Route>>;
}

/**
 * `inference.local`: takes the agent's credential off, puts the provider's on, and sends prompts where the route says.
 * It states routes that several sandboxes share. On a host each sandbox's own egress process mounts the router.
 */
export class PrivacyRouter extends Construct {
  readonly #routes: Readonly<Record<string, Route>>;

  constructor(scope: Construct, id: string, props: PrivacyRouterProps) {
    super(scope, id);
    brand(this, "PrivacyRouter");
    this.#routes = props.routes;
    this.node.addValidation({ validate: () => this.#problems() });
  }

  static isInstance(value: unknown): value is PrivacyRouter {
    return branded(value, "PrivacyRouter");
  }

  /** A route by its name. */
  route(name: string): Route {
    const route = this.#routes[name];
    if (route === undefined) {
      throw new RangeError(
        `${this.node.path}: there is no route ${name}: ${Object.keys(this.#routes).join(", ")}`,
      );
    }
    return route;
  }

  get routes(): Readonly<Record<string, RouteSpec>> {
    return Object.fromEntries(Object.entries(this.#routes).map(([name, route]) => [name, route.spec]));
  }

  #problems(): string[] {
    return Object.entries(this.#routes).flatMap(([name, route]) => {
      const named = nameSchema.safeParse(name);
      const unnamed = named.success
        ? []
        : [`routes.${name}: ${named.error.issues[0]?.message ?? "not a name"}`];
      return [...unnamed, ...route.check(["routes", name]).map(messageOf)];
    });
  }
}

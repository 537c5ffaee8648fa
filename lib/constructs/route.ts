import { checkTry, secondsOf, type Finding, type RouteSpec, ROUTE_TIMEOUT } from "../blueprint/index.ts";
import type { Inference } from "./inference.ts";

/** Who answers an agent's prompts at `https://inference.local/v1`, in order of trial. */
export class Route {
  readonly kind = "route";
  readonly providers: readonly Inference[];
  /** `60s`, `500ms`: until the provider's first byte. */
  readonly timeout: string;

  private constructor(providers: readonly Inference[], timeout: string) {
    this.providers = providers;
    this.timeout = timeout;
  }

  /** Only one provider is enforced yet; a second is refused at synthesis. */
  static try(...providers: readonly [Inference, ...Inference[]]): Route {
    return new Route(providers, ROUTE_TIMEOUT);
  }

  /** The same with another patience: `60s`, `500ms`, `2m`. */
  withTimeout(timeout: string): Route {
    return new Route(this.providers, timeout);
  }

  get spec(): RouteSpec {
    return {
      try: this.providers.map((provider) => provider.spec),
      timeoutSeconds: secondsOf(this.timeout) ?? 0,
    };
  }

  /** What is wrong with it, at `path`. */
  check(path: readonly (string | number)[]): Finding[] {
    const names = this.providers.map((provider) => provider.name);
    const time =
      (secondsOf(this.timeout) ?? 0) > 0
        ? []
        : [
            {
              path: [...path, "timeout"],
              reason: `${this.timeout} is not a time`,
              fix: "write, for example, 60s",
            },
          ];
    return [
      ...this.providers.flatMap((provider) => provider.check([...path, provider.name])),
      ...checkTry(names, path),
      ...time,
    ];
  }
}

import type { Endpoint, NetworkRule } from "../policy/language.ts";
import type { Binary } from "./binary.ts";

/**
 * One place that an agent may reach. Everything else is refused before a name is looked up.
 *
 * A rule opens a host and a port, whole: anything can be sent there.
 */
export class Egress {
  readonly kind = "rule";
  /** The rule's id, which denials and the audit name. */
  readonly id: string;
  readonly rule: NetworkRule;

  private constructor(id: string, rule: NetworkRule) {
    this.id = id;
    this.rule = rule;
  }

  /** TLS to a host; its ClientHello must carry that very name. `*.example.com` is any one label. */
  static https(host: string, port = 443): Egress {
    return Egress.#to({ host, port });
  }

  /** Any protocol over TCP to a host by name. */
  static tcp(host: string, port: number): Egress {
    return Egress.#to({ host, port, protocol: "tcp" });
  }

  static #to(endpoint: Endpoint & { readonly port: number }): Egress {
    return new Egress(`${endpoint.host}:${endpoint.port}`, { endpoints: [endpoint] });
  }

  /** The same, for these programs only. */
  from(...binaries: readonly [Binary, ...Binary[]]): Egress {
    const paths = binaries.flatMap((binary) => binary.paths.map((path) => ({ path })));
    return new Egress(this.id, { ...this.rule, binaries: [...(this.rule.binaries ?? []), ...paths] });
  }

  /** The same under another rule id; the default is `host:port`. */
  named(id: string): Egress {
    return new Egress(id, this.rule);
  }
}

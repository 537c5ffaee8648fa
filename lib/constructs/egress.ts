import type { CredentialPosition } from "../policy/decision.ts";
import type { Endpoint, NetworkRule, RequestMatcher } from "../policy/language.ts";
import type { Binary } from "./binary.ts";
import type { Secret } from "./secret.ts";

/** What a rule says so far. */
interface Parts {
  readonly host: string;
  readonly port: number;
  readonly protocol?: "tcp";
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly access?: "read-only" | "read-write";
  readonly denies?: readonly RequestMatcher[];
  readonly binaries?: readonly string[];
  readonly credential?: { readonly name: string; readonly as?: string; readonly in?: CredentialPosition };
}

/**
 * One place that an agent may reach. Everything else is refused before a name is looked up.
 *
 * A rule opens a host and a port, whole: anything can be sent there. With `methods`, `paths` or `readOnly` each request is
 * decided for itself.
 */
export class Egress {
  readonly kind = "rule";
  /** The rule's id, which denials and the audit name. */
  readonly id: string;
  readonly #parts: Parts;

  private constructor(id: string, parts: Parts) {
    this.id = id;
    this.#parts = parts;
  }

  /** TLS to a host; its ClientHello must carry that very name. `*.example.com` is any one label. */
  static https(host: string, port = 443): Egress {
    return new Egress(`${host}:${port}`, { host, port });
  }

  /** Any protocol over TCP to a host by name. */
  static tcp(host: string, port: number): Egress {
    return new Egress(`${host}:${port}`, { host, port, protocol: "tcp" });
  }

  /** Requests with these methods alone; HEAD goes with GET. On all paths, unless `paths` says which. */
  methods(...methods: readonly [string, ...string[]]): Egress {
    return this.#and({ methods });
  }

  /** Requests to these paths alone: globs, `*` within a segment, `**` across them. With all methods, unless `methods` says which. */
  paths(...paths: readonly [string, ...string[]]): Egress {
    return this.#and({ paths });
  }

  /** GET, HEAD and OPTIONS alone. */
  readOnly(): Egress {
    return this.#and({ access: "read-only" });
  }

  /** Refuses what another part of the policy may allow; paths in any ASCII case. */
  except(method: string, path: string): Egress {
    return this.#and({ denies: [...(this.#parts.denies ?? []), { method, path }] });
  }

  /**
   * The egress puts a secret on, and refuses every credential that the agent brings. The agent never holds it.
   * @param options `as`: the variable inside that holds a placeholder, for programs that insist on one; `in`: where it goes, by
   *   default `Authorization: Bearer`
   */
  with(secret: Secret, options: { readonly as?: string; readonly in?: CredentialPosition } = {}): Egress {
    return this.#and({ credential: { name: secret.name, ...options } });
  }

  /** The same, for these programs only. */
  from(...binaries: readonly [Binary, ...Binary[]]): Egress {
    const paths = binaries.flatMap((binary) => binary.paths);
    return this.#and({ binaries: [...(this.#parts.binaries ?? []), ...paths] });
  }

  /** The same under another rule id; the default is `host:port`. */
  named(id: string): Egress {
    return new Egress(id, this.#parts);
  }

  /** The rule, as a policy file has it. */
  get rule(): NetworkRule {
    const { binaries } = this.#parts;
    return {
      endpoints: [endpointOf(this.#parts)],
      ...(binaries === undefined ? {} : { binaries: binaries.map((path) => ({ path })) }),
    };
  }

  /** The secret that it is bound to, and the variable of its placeholder. */
  get credential(): { readonly name: string; readonly as?: string } | undefined {
    return this.#parts.credential;
  }

  #and(more: Partial<Parts>): Egress {
    return new Egress(this.id, { ...this.#parts, ...more });
  }
}

function endpointOf(parts: Parts): Endpoint {
  const { host, port, protocol, methods, paths, access, denies, credential } = parts;
  const ruled = methods !== undefined || paths !== undefined;
  const rest = ruled || access !== undefined || denies !== undefined;
  const rules = (methods ?? ["*"]).flatMap((method) =>
    (paths ?? ["/**"]).map((path) => ({ allow: { method, path } })),
  );
  return {
    host,
    port,
    ...(rest ? { protocol: "rest" as const } : protocol === undefined ? {} : { protocol }),
    ...(access === undefined ? {} : { access }),
    ...(ruled ? { rules } : {}),
    ...(denies === undefined ? {} : { deny_rules: [...denies] }),
    ...(credential === undefined
      ? {}
      : {
          credential_binding: {
            provider: credential.name,
            ...(credential.in === undefined ? {} : { in: credential.in }),
          },
        }),
  };
}

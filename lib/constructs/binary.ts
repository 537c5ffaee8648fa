/**
 * Programs by the path of their executable inside the sandbox (`*` stops at `/`, `**` does not). What counts is the
 * process that owns the socket, not the one that started it: `git` connects through `git-remote-http`.
 * This attributes connections; what must be kept apart belongs into two sandboxes.
 */
export class Binary {
  readonly paths: readonly string[];

  private constructor(paths: readonly string[]) {
    this.paths = paths;
  }

  static at(...paths: readonly [string, ...string[]]): Binary {
    return new Binary(paths);
  }

  /** Node.js: the system's, or the one that a kit brings. */
  static node(): Binary {
    return new Binary(["/usr/bin/node", "/usr/local/bin/node", "/opt/**/bin/node"]);
  }

  /** Python 3 of the system. */
  static python(): Binary {
    return new Binary(["/usr/bin/python3*", "/usr/local/bin/python3*"]);
  }

  static curl(): Binary {
    return new Binary(["/usr/bin/curl"]);
  }

  /** git over HTTP(S). */
  static git(): Binary {
    return new Binary(["/usr/lib/git-core/git-remote-http", "/usr/libexec/git-core/git-remote-http"]);
  }
}

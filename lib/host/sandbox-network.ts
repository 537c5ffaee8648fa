import { constants } from "node:fs";
import { chmod, chown, mkdir, open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ErrorParts } from "../error.ts";
import { canonicalJson } from "../blueprint/index.ts";
import type { HostContext } from "./context.ts";
import { configureOf, secretsFor, type Lacking } from "./egress-configure.ts";
import type { Published } from "./egress-process.ts";
import { egressSpecOf } from "./egress-spec.ts";
import { EgressSupervisor } from "./egress-supervisor.ts";
import { escapeControls } from "./escape.ts";
import { makeHostView, refreshHostView } from "./host-view.ts";
import { Mutex } from "./mutex.ts";
import { ownIds } from "./outside-ids.ts";
import { mappedTo, type Operator } from "./operator.ts";
import type { SandboxPaths } from "./paths.ts";
import { ended, signalProcess } from "./process-identity.ts";
import type { RecordKeeper } from "./record-keeper.ts";
import { SandboxPolicy } from "./sandbox-policy.ts";
import { fingerprint } from "./secret-source.ts";
import { secretNames } from "./secret-use.ts";
import { prepareTrust, type Trust } from "./trust.ts";

/** The network of one sandbox: its policy, its egress, its secrets and its ports. */
export class SandboxNetwork {
  readonly policy: SandboxPolicy;
  readonly #context: HostContext;
  readonly #keeper: RecordKeeper;
  readonly #paths: SandboxPaths;
  readonly #egress: EgressSupervisor;
  readonly #logs = new Mutex();
  #trust: Trust | undefined;
  /** What the egress was last told, and from which sources, to see what has changed since. */
  #told: { readonly secrets: string; readonly grants: string; readonly sources: string } | undefined;
  /** Secrets that it names and that have no value now: their endpoints answer `credential_unavailable`. */
  lacking: readonly Lacking[] = [];
  #refused: readonly string[] = [];

  constructor(context: HostContext, keeper: RecordKeeper, paths: SandboxPaths) {
    this.#context = context;
    this.#keeper = keeper;
    this.#paths = paths;
    this.#egress = new EgressSupervisor({
      started: (identity) => this.#keeper.save({ egress: identity }),
      ports: (ports) => this.#ports(ports),
      log: (level, message) => this.#log(level, message),
      loaded: (revision, hash) => this.policy.journal.loaded(revision, hash),
      failed: (revision, error) => this.policy.journal.failed(revision, error),
    });
    this.policy = new SandboxPolicy(context, keeper, paths, this.#egress);
  }

  get state() {
    const { state, pid, loaded, restarts } = this.#egress;
    return { state, pid, loaded, restarts };
  }

  /** Why it is not as it should be, beside secrets that lack. */
  get problems(): string[] {
    const { state, problem } = this.#egress;
    const down = state === "running" ? [] : [`no network: ${problem ?? "its egress does not run"}`];
    const stale = state === "running" && problem !== undefined ? [problem] : [];
    return [...down, ...stale, ...this.#refused];
  }

  /** Starts the egress of the process tree that listens at the sandbox' `egress.sock`; resolves when it serves or cannot. */
  async open(): Promise<void> {
    await this.#endFormer();
    await this.policy.journal.begin();
    const { id, identity } = this.#keeper.current;
    await this.#prepareFolders();
    this.#trust = await prepareTrust(this.#paths.trust, id);
    await this.#egress.start({
      spec: () =>
        egressSpecOf({
          id,
          directory: this.#paths.directory,
          socket: this.#paths.egressSocket,
          state: this.#paths.egress,
          host: this.#hostView,
          ids: identity.egress,
          seccomp: this.#context.seccomp.egress,
          compiled: this.#context.compiledEgress,
        }),
      configure: () => this.#configure(),
    });
  }

  async close(): Promise<void> {
    await this.#egress.stop();
    await this.policy.journal.flush();
  }

  /** It will not be opened again here: whoever waits for it is told. */
  abandon(): void {
    this.#egress.abandon();
  }

  /** One live call to the inference provider, from behind the egress' own walls. */
  check(): Promise<ErrorParts | undefined> {
    return this.#egress.check(30_000);
  }

  /**
   * Looks whether the operator's file, a source of a secret, or what the host says of its network has changed.
   * @param again also runs the sources that only running them can compare (`command`)
   */
  async refresh(again = false): Promise<void> {
    if (this.#egress.state !== "running") return;
    await refreshHostView(this.#hostView);
    const operator = await this.#context.operator();
    const grants = canonicalJson(operator.grants);
    const sources = await this.#sourcesNow(operator);
    const before = this.#told;
    if (before === undefined) return;
    if (grants !== before.grants) this.#egress.say({ type: "grants", grants: [...operator.grants] });
    if (!again && sources === before.sources) {
      this.#told = { ...before, grants };
      return;
    }
    const found = await secretsFor(await this.policy.journal.spec(), operator, this.#context.handed);
    this.lacking = found.lacking;
    const secrets = canonicalJson(found.values);
    if (secrets !== before.secrets) this.#egress.say({ type: "secrets", secrets: { ...found.values } });
    this.#told = { secrets, grants, sources };
  }

  /** Where the secrets come from, without reading or running any of it. */
  async #sourcesNow(operator: Operator): Promise<string> {
    const names = secretNames(await this.policy.journal.spec());
    const sources = names.map(async (name) => {
      const entry = mappedTo(operator, name);
      const file = entry === undefined ? undefined : await fingerprint(entry);
      return {
        name,
        entry: entry ?? null,
        file: file ?? null,
        handed: this.#context.handed.get(name) ?? null,
      };
    });
    return canonicalJson(await Promise.all(sources));
  }

  async #configure() {
    const { published } = this.#keeper.current;
    const spec = await this.policy.journal.spec();
    const operator = await this.#context.operator();
    // Before they are read: what changes in between is seen by the next look.
    const sources = await this.#sourcesNow(operator);
    const secrets = await secretsFor(spec, operator, this.#context.handed);
    this.lacking = secrets.lacking;
    this.#told = { secrets: canonicalJson(secrets.values), grants: canonicalJson(operator.grants), sources };
    const ports = spec.ports.map(({ inside, outside }) => ({
      inside,
      outside: outside === 0 ? (published.find((port) => port.inside === inside)?.outside ?? 0) : outside,
    }));
    const trust = (this.#trust ??= await prepareTrust(this.#paths.trust, this.#keeper.current.id));
    const overrides = await this.policy.journal.overrides();
    return configureOf({
      spec: this.#keeper.current.spec,
      overrides,
      operator,
      secrets,
      trust,
      ports,
    });
  }

  #ports(ports: readonly Published[]): void {
    const open = ports.filter(({ error }) => error === undefined);
    this.#refused = ports.flatMap(({ inside, error }) =>
      error === undefined ? [] : [`port ${inside} is not published: ${error.message}`],
    );
    const published = open.map(({ inside, outside }) => ({ inside, outside }));
    // One that could not be opened this time keeps its number: somebody has it written down.
    const kept = this.#keeper.current.published.filter(
      ({ inside }) => !open.some((port) => port.inside === inside),
    );
    const asked = this.#keeper.current.spec.ports.map(({ inside }) => inside);
    const numbers = [...published, ...kept].filter(({ inside }) => asked.includes(inside));
    this.#keeper.save({ published: numbers }).catch((error: unknown) => this.#complain("its ports", error));
  }

  /** A daemon that was killed leaves an egress that has lost its stdin: it ends by itself, or is made to. */
  async #endFormer(): Promise<void> {
    const former = this.#keeper.current.egress;
    if (former === null || (await ended(former, 300))) return;
    signalProcess(former, "SIGKILL");
    await ended(former, 5000);
  }

  get #hostView(): string {
    return join(this.#paths.directory, "host");
  }

  async #prepareFolders(): Promise<void> {
    await mkdir(this.#paths.egress, { recursive: true, mode: 0o700 });
    const { uid, gid } = this.#keeper.current.identity.egress;
    if (ownIds().uid === 0) await chown(this.#paths.egress, uid, gid);
    await chmod(this.#paths.egress, 0o700);
    await makeHostView(this.#hostView);
  }

  #log(level: string, message: string): void {
    const text = escapeControls(message);
    this.#context.log(`egress ${this.#keeper.current.id}`, `${level}: ${text}`);
    this.#logs
      .run(() => append(this.#paths.egressLog, `${new Date().toISOString()} ${level} ${text}\n`))
      .catch((error: unknown) => this.#complain("its log", error));
  }

  #complain(what: string, error: unknown): void {
    this.#context.log(this.#keeper.current.id, `${what} cannot be written: ${String(error)}`);
  }
}

/** One old file is kept. */
async function append(path: string, line: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > 1024 * 1024) await rename(path, `${path}.1`);
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(line);
  } finally {
    await file.close();
  }
}

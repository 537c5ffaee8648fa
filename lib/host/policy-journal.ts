import { NacreError } from "../error.ts";
import { compile } from "../policy/compile.ts";
import { policyHash } from "../policy/hash.ts";
import type { NetworkPolicies } from "../policy/language.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import type { HostContext } from "./context.ts";
import { baseOf, networkOf } from "./egress-configure.ts";
import type { EgressSupervisor } from "./egress-supervisor.ts";
import { KeptPolicies } from "./kept-policies.ts";
import { unlessSame } from "./live-network.ts";
import { Mutex } from "./mutex.ts";
import { OverridesKeeper } from "./overrides-keeper.ts";
import { unexpired, type Layers, type Overrides } from "./overrides.ts";
import type { SandboxPaths } from "./paths.ts";
import type { RecordKeeper } from "./record-keeper.ts";
import {
  failedRevision,
  loadedRevision,
  nextVersion,
  partsOf,
  withRevision,
  type Revision,
} from "./revisions.ts";

/** Characters that the history says of one change. */
const longestWhat = 200;

/** What a change makes of the layers, and what it is, for the history. */
export interface Change {
  readonly by: Revision["by"];
  readonly edit: (before: Layers) => Layers;
  /** Asked after `edit`. */
  readonly what: () => string;
}

/** What takes the policies, as far as this needs it. */
type PolicyEgress = Pick<EgressSupervisor, "push" | "loaded">;
type JournalContext = Pick<HostContext, "state" | "log">;

/** Recorded and pushed. */
export interface Recorded {
  readonly revision: number;
  readonly hash: string;
  /** Resolves to the hash that the egress says; rejects with what it has against it, or `timed_out`. */
  readonly enforced: Promise<string>;
}

/**
 * The policy that is wanted of one sandbox, and how it came to be. A change is on disk before the egress hears of it,
 * as `Pending`; what the egress answers, this one or the next, settles it.
 */
export class PolicyJournal {
  readonly #context: JournalContext;
  readonly #record: RecordKeeper;
  readonly #egress: PolicyEgress;
  readonly #kept: KeptPolicies;
  readonly #changes = new Mutex();
  /** What each revision that the egress has not answered yet was made of. */
  readonly #asked = new Map<number, Layers>();
  #opening: Promise<OverridesKeeper> | undefined;
  #opened: OverridesKeeper | undefined;
  /** The last that was in force: what stays where one is refused. */
  #good: (Layers & { readonly revision: number }) | undefined;

  constructor(context: JournalContext, record: RecordKeeper, paths: SandboxPaths, egress: PolicyEgress) {
    this.#context = context;
    this.#record = record;
    this.#egress = egress;
    this.#kept = new KeptPolicies(paths.policies);
  }

  async overrides(): Promise<Overrides> {
    return (await this.#keeper()).current;
  }

  /** The sandbox as described, with the base that is wanted now. */
  async spec(): Promise<HostSandbox> {
    const { spec } = this.#record.current;
    return { ...spec, network: baseOf(spec, await this.overrides()) };
  }

  /** The content of a revision; undefined: it is not kept any more. */
  content({ base }: Revision): Promise<NetworkPolicies | undefined> {
    return this.#kept.read(base);
  }

  digestOf(network: NetworkPolicies): string {
    return this.#kept.contentOf(network).base;
  }

  /** Before an egress starts: this is what it will be told. */
  async begin(): Promise<void> {
    const { current } = await this.#keeper();
    this.#asked.set(current.revision, current);
    await this.#kept.prune(basesOf(current));
  }

  /** What is in memory alone is written. */
  async flush(): Promise<void> {
    await this.#opened?.flush();
  }

  /**
   * To disk first, then to the egress: what was promised survives whatever happens next. Nothing waits in here for an
   * egress: a block must not stand behind somebody who does.
   * @throws NacreError `policy_invalid`, `policy_too_long`: nothing changed
   */
  change({ by, what, edit }: Change, milliseconds: number): Promise<Recorded> {
    return this.#changes.run(async () => {
      const keeper = await this.#keeper();
      const { spec } = this.#record.current;
      const before = keeper.current;
      const layers = layersOf(edit(before));
      const version = nextVersion(before.revisions, before.revision);
      const revision = this.#revisionOf({ by, what: what(), version }, layers);
      const isNew = this.digestOf(baseOf(spec, before)) !== revision.base;
      const isKept = before.revisions.some(({ base: kept }) => kept === revision.base);
      if (!isKept) await this.#kept.write(baseOf(spec, layers));
      // A base that is in force is not compiled again for what is put above it.
      const base = isNew ? baseOf(spec, layers) : {};
      await this.#refuseInvalid(keeper, revision, { ...layers, base });
      await keeper.save((now) => ({
        ...now,
        ...layers,
        revision: version,
        revisions: withRevision(now.revisions, revision),
      }));
      this.#asked.set(version, layers);
      const enforced = this.#push(keeper.current, milliseconds);
      if (isNew) await this.#kept.prune(basesOf(keeper.current));
      return { revision: version, hash: revision.hash, enforced };
    });
  }

  /** Nothing is to change: only whether it is in force is asked. */
  async again(milliseconds: number): Promise<Recorded> {
    const { current } = await this.#keeper();
    const { revision } = current;
    const { loaded } = this.#egress;
    if (loaded?.revision === revision)
      return { revision, hash: loaded.hash, enforced: Promise.resolve(loaded.hash) };
    const hash = policyHash(networkOf(this.#record.current.spec, current));
    return { revision, hash, enforced: this.#push(current, milliseconds) };
  }

  /** What changes nothing that is in force: written, and no revision. */
  async amend(edit: (before: Layers) => Layers): Promise<void> {
    await (await this.#keeper()).save((now) => ({ ...now, ...layersOf(edit(now)) }));
  }

  /** The egress says what it enforces now; also after an allow expired, and when another egress started. */
  loaded(revision: number, hash: string): void {
    const keeper = this.#opened;
    if (keeper === undefined) return;
    const layers = this.#asked.get(revision);
    if (layers !== undefined) this.#good = { ...layersOf(layers), revision };
    for (const version of this.#asked.keys()) if (version <= revision) this.#asked.delete(version);
    if (keeper.current.revisions.some(({ state, version }) => state === "Pending" && version <= revision))
      keeper.note((now) => ({
        ...now,
        revisions: loadedRevision(now.revisions, { version: revision, hash }),
      }));
  }

  /** It did not take that one: what was in force before stays, here and after a restart. */
  failed(revision: number, error: NacreError): void {
    const keeper = this.#opened;
    if (keeper === undefined) return;
    this.#asked.delete(revision);
    keeper.note((now) => ({ ...now, revisions: failedRevision(now.revisions, revision, error) }));
    this.#changes
      .run(() => this.#restore(keeper, revision))
      .catch((cause: unknown) =>
        this.#context.log(this.#record.current.id, `policy revision ${revision} stays: ${String(cause)}`),
      );
  }

  async #restore(keeper: OverridesKeeper, failed: number): Promise<void> {
    const good = this.#good ?? (await this.#goodOnDisk(keeper.current));
    // Where a later one is on its way, that will be answered too.
    if (good === undefined || keeper.current.revision !== failed) return;
    keeper.note((now) => ({ ...now, ...good }));
    this.#asked.set(good.revision, good);
    if (this.#egress.loaded?.revision === good.revision) return;
    // One that started with the refused policy denies everything.
    void this.#push(keeper.current, 0);
  }

  /** The last that was in force, as far as the history knows it. */
  async #goodOnDisk({ revisions, allows, blocks }: Overrides) {
    const last = revisions.findLast(({ state }) => state === "Loaded");
    const network = last === undefined ? undefined : await this.content(last);
    if (last === undefined || network === undefined) return undefined;
    const { spec } = this.#record.current;
    const live = unlessSame({ network, by: "rollback", at: Date.now(), conflicts: [] }, spec.network);
    return { revision: last.version, live, allows, blocks };
  }

  #push(wanted: Overrides, milliseconds: number): Promise<string> {
    const enforced = this.#egress.push(networkOf(this.#record.current.spec, wanted), milliseconds);
    enforced.catch(() => undefined); // Not everybody waits for it.
    return enforced;
  }

  /** What the egress would have against it is told before anything changes, and is in the history. */
  async #refuseInvalid(
    keeper: OverridesKeeper,
    revision: Revision,
    policy: Parameters<typeof compile>[0],
  ): Promise<void> {
    try {
      compile(policy);
    } catch (error) {
      if (!(error instanceof NacreError)) throw error;
      const failed = { ...revision, state: "Failed", error: partsOf(error) } as const;
      await keeper.save((now) => ({ ...now, revisions: withRevision(now.revisions, failed) }));
      throw error;
    }
  }

  #revisionOf(of: Pick<Revision, "by" | "what" | "version">, layers: Layers): Revision {
    const base = baseOf(this.#record.current.spec, layers);
    const { allows, blocks } = layers;
    return {
      ...of,
      what: of.what.length <= longestWhat ? of.what : `${of.what.slice(0, longestWhat - 1)}…`,
      hash: policyHash({ base, allows: unexpired(allows), blocks }),
      ...this.#kept.contentOf(base),
      at: Date.now(),
      state: "Pending",
      error: null,
    };
  }

  async #keeper(): Promise<OverridesKeeper> {
    return await (this.#opening ??= this.#open());
  }

  /** What was in force before the first command is the first revision. */
  async #open(): Promise<OverridesKeeper> {
    const { id, spec } = this.#record.current;
    const complain = (error: unknown): void =>
      this.#context.log(id, `its policy's history cannot be written: ${String(error)}`);
    const keeper = await OverridesKeeper.open(this.#context.state, id, complain);
    this.#opened = keeper;
    const { revision: version, revisions } = keeper.current;
    if (revisions.length > 0) return keeper;
    await this.#kept.write(baseOf(spec, keeper.current)).catch(complain);
    keeper.note((now) => ({ ...now, revisions: [this.#revisionOf({ by: "up", what: "", version }, now)] }));
    return keeper;
  }
}

const basesOf = ({ revisions }: Overrides): Set<string> => new Set(revisions.map(({ base }) => base));

const layersOf = ({ live, allows, blocks }: Layers): Layers => ({ live, allows, blocks });

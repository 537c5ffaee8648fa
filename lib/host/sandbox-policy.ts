import type { Allow, Block } from "../egress/protocol.ts";
import { NacreError } from "../error.ts";
import type { NetworkPolicies } from "../policy/language.ts";
import type { HostContext } from "./context.ts";
import { baseOf } from "./egress-configure.ts";
import type { EgressSupervisor } from "./egress-supervisor.ts";
import {
  rebased,
  ruleChanges,
  sameNetwork,
  unlessSame,
  type LiveNetwork,
  type RuleChanges,
} from "./live-network.ts";
import { withAllow, withBlock, withoutAllows, withoutBlock, type Layers } from "./overrides.ts";
import type { SandboxPaths } from "./paths.ts";
import { openText } from "./open-text.ts";
import { PolicyJournal, type Change } from "./policy-journal.ts";
import type { RecordKeeper } from "./record-keeper.ts";
import { otherBefore, type Revision } from "./revisions.ts";
import { refuseNewSecrets } from "./secret-use.ts";

/** What a push came to. */
export interface Enforced {
  readonly revision: number;
  /** Milliseconds from the request until the egress said that it is in force. */
  readonly enforcedMs: number;
}

/** What another base came to. `Pending`: recorded, and loaded by the next egress. */
export interface BaseChange extends Enforced {
  readonly hash: string;
  readonly state: "Pending" | "Loaded";
  readonly changes: RuleChanges;
}

/** How long a push may take; where no egress runs, how long one is given that is just being started. */
const patience = { running: 10_000, starting: 2000 } as const;

/** What one sandbox may reach: the blueprint's base or what a command put in its place, and allows and blocks above. */
export class SandboxPolicy {
  readonly journal: PolicyJournal;
  readonly #context: HostContext;
  readonly #record: RecordKeeper;
  readonly #egress: EgressSupervisor;

  constructor(context: HostContext, record: RecordKeeper, paths: SandboxPaths, egress: EgressSupervisor) {
    this.#context = context;
    this.#record = record;
    this.#egress = egress;
    this.journal = new PolicyJournal(context, record, paths, egress);
  }

  /**
   * Another base by `up`; what is live over the old one is kept, rule by rule. On refusal the one before stays.
   * @param pushed whether an egress runs that it is to be pushed to, and waited for
   */
  async rebase(base: NetworkPolicies, pushed: boolean): Promise<void> {
    const before = this.#record.current.spec.network;
    if (sameNetwork(before, base)) return;
    // In place of the old base first: until the record has the new one, an interruption finds either whole.
    const edit = (layers: Layers): Layers => ({
      ...layers,
      live:
        layers.live === null
          ? { network: base, by: "up", at: Date.now(), conflicts: [] }
          : rebased(layers.live, before, base),
    });
    const now = await this.journal.overrides();
    const changes = ruleChanges(baseOf({ network: before }, now), baseOf({ network: base }, edit(now)));
    if (isNone(changes)) await this.journal.amend(edit);
    else {
      const change = { by: "up", what: () => textOf(changes), edit } as const;
      const { enforced } = await this.journal.change(change, pushed ? patience.running : 0);
      if (pushed) await enforced;
    }
    await this.#record.save({ spec: { ...this.#record.current.spec, network: base } });
    await this.journal.amend((layers) => ({ ...layers, live: unlessSame(layers.live, base) }));
  }

  /**
   * Another base by command, whole.
   * @param seconds how long to wait for an egress that does not run, or does not answer
   */
  set(network: NetworkPolicies, seconds: number | undefined): Promise<BaseChange> {
    return this.#base({ network, by: "set", at: Date.now(), conflicts: [] }, seconds);
  }

  /**
   * The base of an earlier revision: of the last one that had another, or the blueprint's (`up`). Allows and blocks stay.
   * @throws NacreError `revision_unknown`, `revision_refused`, `revision_forgotten`, `revision_none`
   */
  async rollback(to: number | "up" | undefined, seconds: number | undefined): Promise<BaseChange> {
    const network =
      to === "up"
        ? this.#record.current.spec.network
        : (await this.revision(to ?? (await this.#before()), { wasInForce: true })).network;
    return this.#base({ network, by: "rollback", at: Date.now(), conflicts: [] }, seconds);
  }

  /** One revision and its base. @throws NacreError `revision_unknown`, `revision_refused`, `revision_forgotten` */
  async revision(version: number, { wasInForce = false } = {}) {
    const revision = (await this.journal.overrides()).revisions.find((one) => one.version === version);
    if (revision === undefined) throw this.#failure("revision_unknown", `has no policy revision ${version}`);
    if (wasInForce && revision.state === "Failed")
      throw this.#failure("revision_refused", `policy revision ${version} was refused: ${whyOf(revision)}`);
    const network = await this.journal.content(revision);
    if (network === undefined)
      throw this.#failure("revision_forgotten", `the content of policy revision ${version} is not kept`);
    return { revision, network };
  }

  allow(allow: Allow): Promise<Enforced> {
    return this.#layer({
      by: "allow",
      what: () => openText(allow),
      edit: (layers) => withAllow(layers, allow),
    });
  }

  disallow(allows: readonly Allow[]): Promise<Enforced> {
    const ids = allows.map(({ id }) => id);
    return this.#layer({
      by: "disallow",
      what: () => allows.map(openText).join(", "),
      edit: (layers) => withoutAllows(layers, ids),
    });
  }

  block(block: Block): Promise<Enforced> {
    return this.#layer({ by: "block", what: () => named(block), edit: (layers) => withBlock(layers, block) });
  }

  unblock(block: Block): Promise<Enforced> {
    return this.#layer({
      by: "unblock",
      what: () => named(block),
      edit: (layers) => withoutBlock(layers, block),
    });
  }

  async #before(): Promise<number> {
    const { revisions } = await this.journal.overrides();
    const { network } = await this.journal.spec();
    const found = otherBefore(revisions, this.journal.digestOf(network));
    if (found !== undefined) return found.version;
    throw this.#failure("revision_none", "no other base policy was in force before this one");
  }

  /** Puts a base in the blueprint's place, or the blueprint's back. */
  async #base(live: LiveNetwork, seconds: number | undefined): Promise<BaseChange> {
    const began = performance.now();
    const now = await this.journal.spec();
    refuseNewSecrets(now, { ...now, network: live.network }, await this.#context.operator());
    const usual = this.#egress.state === "running" ? patience.running : patience.starting;
    const milliseconds = seconds === undefined ? usual : seconds * 1000;
    let changes = ruleChanges(now.network, live.network);
    const edit = (layers: Layers): Layers => {
      const { spec } = this.#record.current;
      changes = ruleChanges(baseOf(spec, layers), live.network);
      return { ...layers, live: unlessSame(live, spec.network) };
    };
    if (isNone(changes)) await this.journal.amend(edit);
    const { revision, hash, enforced } = isNone(changes)
      ? await this.journal.again(milliseconds)
      : await this.journal.change({ by: live.by, edit, what: () => textOf(changes) }, milliseconds);
    const told = (state: BaseChange["state"], loaded: string): BaseChange => {
      return { revision, hash: loaded, state, changes, enforcedMs: performance.now() - began };
    };
    try {
      return told("Loaded", await enforced);
    } catch (error) {
      if (seconds === undefined && error instanceof NacreError && error.code === "timed_out")
        return told("Pending", hash);
      throw error;
    }
  }

  /** Allows and blocks: whoever asks is answered when they are in force. */
  async #layer(change: Change): Promise<Enforced> {
    const began = performance.now();
    const { revision, enforced } = await this.journal.change(change, patience.running);
    await enforced;
    return { revision, enforcedMs: performance.now() - began };
  }

  #failure(code: string, message: string): NacreError {
    const { id } = this.#record.current;
    const hint = `nacre policy history ${id} lists what there is; --to up is the blueprint's`;
    return new NacreError({ code, subject: `sandbox ${id}`, message, hint });
  }
}

const isNone = ({ added, removed, changed }: RuleChanges): boolean =>
  added.length + removed.length + changed.length === 0;

/** `+github ~npm -slack`. */
const textOf = ({ added, removed, changed }: RuleChanges): string =>
  [...added.map((id) => `+${id}`), ...changed.map((id) => `~${id}`), ...removed.map((id) => `-${id}`)].join(
    " ",
  );

const whyOf = ({ error }: Revision): string => error?.message ?? "no reason was given";

const named = (block: Block): string => ("all" in block ? "everything" : block.host);

import { StackAlreadyExistsError, StackNotFoundError, type Stack } from "@pulumi/pulumi/automation/index.js";
import { engineFailure } from "./engine-failure.ts";
import { engineEventSchema } from "./events.ts";
import { isDead, lockHoldersOf } from "./lock.ts";
import { OutcomeReader, type Outcome } from "./outcome.ts";
import {
  deploymentInFile,
  deploymentSchema,
  pendingCreatesOf,
  withPendingCreates,
  type Deployment,
} from "./pending.ts";
import { progressOf, type OnRunProgress } from "./progress.ts";
import { engineByHand, installPlugin, missingPlugins } from "./provider-plugins.ts";
import { engineSettings, type BackendOptions, type EngineSettings } from "./settings.ts";
import { openStack, type StackParts } from "./workspace.ts";

export interface EnvironmentStackOptions extends BackendOptions, Omit<StackParts, "settings"> {
  readonly onProgress?: OnRunProgress;
  /** One line about something that was repaired: a dead lock, a creation that had been interrupted. */
  readonly onRepair?: (line: string) => void;
}

export interface RunOptions {
  /** Ends the run as Ctrl-C would: what is under way is finished or given up in order. */
  readonly signal?: AbortSignal;
  /** URNs, or patterns of them (`**` for any part): nothing else is touched. @default everything */
  readonly targets?: readonly string[];
}

export interface PreviewableOptions extends RunOptions {
  /** Tells what would happen; changes nothing. */
  readonly preview?: boolean;
}

interface EngineOptions {
  readonly onEvent: (event: unknown) => void;
  readonly signal?: AbortSignal | undefined;
  readonly color: "never";
  readonly target?: string[];
}

/** One environment as a Pulumi stack, run by the engine from within this process. */
export class EnvironmentStack {
  readonly #options: EnvironmentStackOptions;
  readonly #settings: EngineSettings;
  readonly #stack: Stack;

  private constructor(options: EnvironmentStackOptions, settings: EngineSettings, stack: Stack) {
    this.#options = options;
    this.#settings = settings;
    this.#stack = stack;
  }

  /** @throws NacreError `plugin_missing` where a provider that is needed is neither there nor to be downloaded. */
  static async open(options: EnvironmentStackOptions): Promise<EnvironmentStack> {
    const { engine, plugins = {}, providers = [], onProgress } = options;
    const settings = await engineSettings(options, options.project);
    const needed = providers.filter((name) => !(name in plugins));
    for (const plugin of missingPlugins(needed, settings.home)) {
      const message = `installing Pulumi's plugin ${plugin.name} ${plugin.version}, once`;
      onProgress?.({ subject: undefined, message });
      await installPlugin(plugin, engine.path, settings);
    }
    return new EnvironmentStack(options, settings, await openStack({ ...options, settings }));
  }

  /** What `up` would do. Starts nothing; works before anything exists. */
  preview(run: RunOptions = {}): Promise<Outcome> {
    return this.#plan((options) => this.#stack.preview(options), run);
  }

  /** Makes it so. Clears the lock of a dead engine on this host first, and finds again what that one had begun. */
  async up(run: RunOptions = {}): Promise<Outcome> {
    await this.#recordPendingCreates();
    return this.#unlocking(() => this.#run((options) => this.#stack.up(options), run));
  }

  /** Reads how things are; unless it previews, the record follows what was read. */
  refresh({ preview = false, ...run }: PreviewableOptions = {}): Promise<Outcome> {
    if (preview) return this.#plan((options) => this.#stack.previewRefresh(options), run);
    return this.#unlocking(() => this.#run((options) => this.#stack.refresh(options), run));
  }

  /** Takes everything down but the workspaces. */
  async destroy({ preview = false, ...run }: PreviewableOptions = {}): Promise<Outcome> {
    if (preview) {
      return this.#plan((options) => this.#stack.destroy({ ...options, previewOnly: true }), run);
    }
    await this.#recordPendingCreates();
    return this.#unlocking(() => this.#run((options) => this.#stack.destroy(options), run));
  }

  /** What the backend records, or undefined when it knows no such stack. */
  async deployment(): Promise<Deployment | undefined> {
    const { project, environment } = this.#options;
    const inFile = await deploymentInFile(this.#settings.backend, project, environment);
    if (inFile !== undefined) return inFile;
    try {
      return deploymentSchema.parse((await this.#stack.exportStack()).deployment);
    } catch (error) {
      if (error instanceof StackNotFoundError) return undefined;
      throw engineFailure(error);
    }
  }

  /** Drops the records of what lives on a machine; touches nothing there. Resolves to the URNs that were dropped. */
  async forget(machine: string): Promise<readonly string[]> {
    const dropped: string[] = [];
    await this.#edit((deployment) => {
      const [gone, kept] = partition(
        deployment.resources ?? [],
        ({ outputs }) => outputs?.["machine"] === machine,
      );
      dropped.push(...gone.map(({ urn }) => urn));
      return gone.length === 0 ? undefined : { ...deployment, resources: kept };
    });
    return dropped;
  }

  async #recordPendingCreates(): Promise<void> {
    const pending = pendingCreatesOf((await this.deployment()) ?? {});
    if (pending.length === 0) return;
    for (const urn of pending) {
      this.#options.onRepair?.(`an earlier run was interrupted while it created ${urn}: looking for it`);
    }
    await this.#edit(withPendingCreates);
  }

  /** Takes the record out of the backend and puts it back changed; `undefined` leaves it. */
  async #edit(change: (deployment: Deployment) => Deployment | undefined): Promise<void> {
    try {
      const exported = await this.#stack.exportStack();
      const deployment = change(deploymentSchema.parse(exported.deployment));
      if (deployment === undefined) return;
      await this.#unlocking(() => this.#stack.importStack({ ...exported, deployment }));
    } catch (error) {
      throw engineFailure(error);
    }
  }

  /** The engine's events of a plan read as if it were done: only what comes of it is told. */
  #plan(operation: (options: EngineOptions) => Promise<unknown>, run: RunOptions): Promise<Outcome> {
    return this.#run(operation, run, () => undefined);
  }

  /** @throws NacreError `engine_failed` when the engine ended without saying anything about resources. */
  async #run(
    operation: (options: EngineOptions) => Promise<unknown>,
    { signal, targets }: RunOptions,
    onProgress: OnRunProgress | undefined = this.#options.onProgress,
  ): Promise<Outcome> {
    const reader = new OutcomeReader();
    const started = performance.now();
    const ended = (result: Outcome["result"]) => reader.outcome(result, performance.now() - started);
    const onEvent = (raw: unknown): void => {
      const event = engineEventSchema.parse(raw);
      reader.read(event);
      const progress = progressOf(event);
      if (progress) onProgress?.(progress);
    };
    try {
      await operation({
        onEvent,
        signal,
        color: "never",
        ...(targets !== undefined && { target: [...targets] }),
      });
      return ended("succeeded");
    } catch (error) {
      if (error instanceof StackNotFoundError) {
        await this.#create();
        return this.#run(operation, { ...(signal && { signal }), ...(targets && { targets }) }, onProgress);
      }
      if (signal?.aborted === true) return ended("cancelled");
      const failure = engineFailure(error, engineByHand(this.#options.engine.path, this.#settings.home));
      if (!reader.heard || failure.code === "plugin_missing") throw failure;
      reader.blame(failure.subject, failure.message);
      return ended("failed");
    }
  }

  async #create(): Promise<void> {
    try {
      await this.#stack.workspace.createStack(this.#options.environment);
    } catch (error) {
      if (error instanceof StackAlreadyExistsError) return; // another command was quicker
      throw engineFailure(error);
    }
  }

  /** Tries again, once, where nothing but the locks of dead processes of this host is in the way. */
  async #unlocking<Result>(operation: () => Promise<Result>): Promise<Result> {
    try {
      return await operation();
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const holders = lockHoldersOf(cause instanceof Error ? cause.message : "") ?? [];
      if (holders.length === 0 || !holders.every(isDead)) throw error;
      await this.#stack.cancel();
      for (const { pid, since } of holders) {
        this.#options.onRepair?.(
          `cleared the lock of engine process ${pid} (${since.toISOString()}): it is dead`,
        );
      }
      return operation();
    }
  }
}

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { NacreError } from "../error.ts";
import { version } from "../version.ts";
import { blockOver, meant, normalHost, opened } from "./allows.ts";
import { build, codeRoot } from "./build.ts";
import type { HostContext, ShowProgress } from "./context.ts";
import { escapeControls } from "./escape.ts";
import { denialsIn } from "./denial-list.ts";
import { sameBlock } from "./overrides.ts";
import { operatorFile } from "./paths.ts";
import { policyHandlers } from "./policy-methods.ts";
import { readWorkspace } from "./record.ts";
import { readingOf } from "./reading.ts";
import { stopped, type Sandbox } from "./sandbox.ts";
import { runFolder } from "./run-folder.ts";
import { secretLacking, type Sandboxes } from "./sandboxes.ts";
import type { Handlers } from "./server.ts";
import { statusOf, unreadable } from "./status.ts";
import { blockBroken } from "./block-broken.ts";
import { openThrowAway, type ThrowAway } from "./throwaway-sandbox.ts";
import { createWorkspace, deleteWorkspace, listWorkspaces } from "./workspaces.ts";

export interface Daemon {
  readonly context: HostContext;
  readonly sandboxes: Sandboxes;
  readonly machine: string;
  /** Aborted when the daemon is to end. */
  readonly closing: AbortSignal;
  readonly shutdown: () => void;
}

/** What each method of the daemon does. */
export function handlersOf({ context, sandboxes, machine, closing, shutdown }: Daemon): Handlers {
  const { state, handed } = context;
  const code = build();
  const take = (values: Readonly<Record<string, string>> = {}): void =>
    Object.entries(values).forEach(([name, value]) => handed.set(name, value));

  /** What `nacre run` has open, by its control socket. */
  const runs = new Map<string, ThrowAway>();
  /** Denials are shown also where the operator's file cannot be read: nothing counts as granted then. */
  const granted = () => context.operator().catch(() => ({ file: operatorFile(), grants: [] }));

  const become: Handlers["sandbox.create"] = async ({ spec, values }, { progress }) => {
    take(values);
    const sandbox = await sandboxes.become(spec, progress);
    const reading = await readingOf(sandbox, handed, values);
    const problem = reading.running ? await inferenceProblem(sandbox, progress) : undefined;
    return problem === undefined ? reading : { ...reading, problems: [...reading.problems, problem] };
  };

  return {
    hello: () => Promise.resolve({ version, build: code, root: codeRoot, pid: process.pid, machine }),

    "workspace.create": async ({ spec }) => {
      await createWorkspace(state, spec);
      return {};
    },
    "workspace.read": async ({ id }) => (await readWorkspace(state, id))?.spec ?? null,
    "workspace.list": () => listWorkspaces(state),
    "workspace.delete": async ({ id }) => {
      await deleteWorkspace(state, id);
      return {};
    },

    "sandbox.create": become,
    "sandbox.update": become,
    "sandbox.read": async ({ id, values }) => {
      const sandbox = sandboxes.find(id);
      return sandbox === undefined ? null : readingOf(sandbox, handed, values);
    },
    "sandbox.delete": async ({ id }) => {
      await sandboxes.remove(id);
      return {};
    },
    "sandbox.entry": ({ id }) => Promise.resolve(sandboxes.get(id).entry()),

    status: async ({ id, probe }) => {
      const asked = id === undefined ? sandboxes.all : [sandboxes.get(id)];
      const readable = await Promise.all(asked.map((sandbox) => statusOf(context, sandbox, probe === true)));
      return id === undefined ? [...readable, ...[...sandboxes.broken].map(unreadable)] : readable;
    },
    logs: ({ id }) => Promise.resolve({ path: sandboxes.get(id).paths.log }),
    denials: async ({ id, since }) => {
      const { audit } = sandboxes.get(id).paths;
      return denialsIn({ id, audit, operator: await granted() }, since);
    },

    allow: async ({ id, what, seconds }) => {
      const sandbox = sandboxes.get(id);
      const allow = {
        id: `a-${randomBytes(4).toString("hex")}`,
        ...opened({ id, audit: sandbox.paths.audit }, what, await context.operator()),
        until: Date.now() + seconds * 1000,
      };
      // What was granted a moment ago counts for the egress too.
      await sandbox.network.refresh();
      const enforced = await sandbox.network.policy.allow(allow);
      const { blocks } = await sandbox.network.policy.journal.overrides();
      const blocked = blockOver(id, allow.host, blocks);
      return { allow, ...enforced, ...(blocked && { blocked }) };
    },
    disallow: async ({ id, what }) => {
      const { network, paths } = sandboxes.get(id);
      const ended = meant(
        { id, audit: paths.audit },
        what,
        (await network.policy.journal.overrides()).allows,
      );
      return { ended, ...(await network.policy.disallow(ended)) };
    },
    block: ({ id, what }) => {
      if ("host" in what) normalHost(what.host);
      const broken = sandboxes.broken.get(id);
      if (broken !== undefined) return blockBroken(state, id, what, broken);
      return sandboxes.get(id).network.policy.block(what);
    },
    unblock: async ({ id, what }) => {
      const { policy } = sandboxes.get(id).network;
      const before = (await policy.journal.overrides()).blocks;
      const enforced = await policy.unblock(what);
      const { blocks } = await policy.journal.overrides();
      return { ended: before.some((block) => sameBlock(block, what)), blocks, ...enforced };
    },

    ...policyHandlers(sandboxes, take),

    "kit.ensure": ({ kit, version: wanted }, { progress, signal }) =>
      context.kit(kit, wanted).ensure({
        cache: join(context.cache, "kits"),
        runThrowAway: context.runThrowAway,
        progress,
        signal,
      }),
    "agent.connection": ({ id }) => connectionOf(sandboxes.get(id)),
    "inference.check": async ({ id }) => ({ error: (await sandboxes.get(id).network.check()) ?? null }),

    "run.open": async ({ spec, folder, values }, { progress, signal }) => {
      take(values);
      const fill = (): Promise<void> => Promise.resolve();
      const shown =
        folder === undefined
          ? undefined
          : runFolder(folder, { state: context.state, operator: await context.operator() });
      const sandbox = await openThrowAway(context, { spec, grants: [], binds: [], folder: shown, fill });
      const { control } = sandbox.entry;
      runs.set(control, sandbox);
      try {
        progress({ message: "ready", entry: sandbox.entry });
        // It lives as long as the caller listens.
        const over = AbortSignal.any([signal, closing]);
        if (!over.aborted) await once(over, "abort");
      } finally {
        runs.delete(control);
        await sandbox.close();
      }
      return {};
    },
    "run.denials": async ({ control }) => {
      const audit = runs.get(control)?.audit;
      return audit === undefined ? [] : denialsIn({ id: "run/run", audit, operator: await granted() });
    },

    shutdown: () => {
      shutdown();
      return Promise.resolve({});
    },
  };
}

/** Whether prompts are answered, by one live call from behind the egress' walls. A secret that lacks is told already. */
async function inferenceProblem(
  { id, record, network }: Sandbox,
  progress: ShowProgress,
): Promise<string | undefined> {
  if (record.spec.inference === null || network.lacking.length > 0 || network.state.state !== "running")
    return undefined;
  progress({ message: `asking the inference provider of ${id} whether it answers` });
  const error = await network.check();
  return error === undefined ? undefined : escapeControls(new NacreError(error).toString());
}

async function connectionOf(sandbox: Sandbox) {
  if (sandbox.generation === undefined) throw stopped(sandbox.id);
  await refuseMute(sandbox);
  const agent = await sandbox.kitAgent();
  const outside = agent === undefined ? undefined : sandbox.outside(agent);
  if (agent === undefined || outside === undefined)
    throw new NacreError({
      code: "agent_unreachable",
      subject: `sandbox ${sandbox.id}`,
      message:
        agent === undefined
          ? "its agent is a command, and has no server that Nacre knows how to speak to"
          : "publishes no port",
      hint:
        agent === undefined ? "nacre exec runs a command in it" : "give the agent a port in its blueprint",
    });
  return agent.connection(outside);
}

/** An agent that cannot reach a model tries for minutes: whoever asks it is told at once why it would not answer. */
async function refuseMute({ id, record, network }: Sandbox): Promise<void> {
  if (record.spec.inference === null) return;
  const name = id.slice(id.indexOf("/") + 1);
  if ((await network.policy.journal.overrides()).blocks.some((block) => "all" in block))
    throw new NacreError({
      code: "blocked",
      subject: `sandbox ${id}`,
      message: "everything is blocked, inference included",
      hint: `nacre unblock ${name} --all`,
    });
  const [lacking] = network.lacking;
  if (lacking !== undefined) throw secretLacking(id, lacking.why);
}

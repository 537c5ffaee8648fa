import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readDenials } from "../egress/denials.ts";
import type { Grant } from "../egress/protocol.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import type { Entry } from "./api.ts";
import type { HostContext } from "./context.ts";
import { configureOf, secretsFor } from "./egress-configure.ts";
import { egressSpecOf } from "./egress-spec.ts";
import { EgressSupervisor } from "./egress-supervisor.ts";
import { escapeControls } from "./escape.ts";
import { Generation } from "./generation.ts";
import { makeHostView } from "./host-view.ts";
import { inside, sandboxEnvironment } from "./inside.ts";
import type { SandboxSpec } from "./launch-spec.ts";
import { launcherPath } from "./launcher.ts";
import { ownIds, type Ids } from "./outside-ids.ts";
import { processIdentitySchema, type ProcessIdentity } from "./process-identity.ts";
import { removeTree } from "./remove-tree.ts";
import { sandboxRoot } from "./sandbox-root.ts";
import { capture, limitsOf } from "./sandbox-spec.ts";
import { readJson, writeJson } from "./state.ts";
import { prepareTrust, type Trust } from "./trust.ts";

export interface ThrowAwayPlan {
  /** What it may and may not; its agent, workspace, ports and restart policy are not looked at. */
  readonly spec: Omit<HostSandbox, "agent" | "workspace" | "ports" | "restart">;
  /** Beside the operator's own. */
  readonly grants: readonly Grant[];
  /** Folders of the host, shown read-only. */
  readonly binds: readonly { readonly from: string; readonly to: string }[];
  /** A folder of the host that is shown at its own path, writable over an overlay; commands start there. */
  readonly folder?: string | undefined;
  /** Puts into the home what shall be there at the start. */
  readonly fill: (home: string, owner: Ids) => Promise<void>;
}

/** A sandbox for one command, with the walls of all. It lives as long as its daemon wants it. */
export interface ThrowAway {
  readonly entry: Entry;
  /** The folder that is `/sandbox` inside. */
  readonly home: string;
  /** What its network wall refused so far: `host:port reason`. */
  readonly refused: () => readonly string[];
  /** Where its egress keeps its records. */
  readonly audit: string;
  /** Ends every process of it; its files stay. */
  readonly end: () => Promise<void>;
  /** Ends it and removes its files. */
  readonly close: () => Promise<void>;
}

const recordSchema = z.strictObject({ init: processIdentitySchema });
const folderOf = (state: string): string => join(state, "throwaway");

/** @throws NacreError whatever keeps a wall of it from being built; nothing is left then */
export async function openThrowAway(context: HostContext, plan: ThrowAwayPlan): Promise<ThrowAway> {
  const directory = join(folderOf(context.state), randomBytes(6).toString("hex"));
  const [agent, egressIds] = [takeIds(context.transientIds), takeIds(context.transientIds)];
  const supervisor = new EgressSupervisor({
    started: () => Promise.resolve(),
    ports: () => undefined,
    log: (level, message) => context.log("throw-away egress", `${level}: ${escapeControls(message)}`),
    loaded: () => undefined,
    failed: () => undefined,
  });
  let generation: Generation | undefined;
  const end = async (): Promise<void> => {
    await supervisor.stop();
    await generation?.stop(0);
    generation = undefined;
  };
  const close = async (): Promise<void> => {
    await end();
    for (const { uid } of [agent, egressIds]) context.transientIds.delete(uid);
    await removeTree(directory, join(context.state, "trash"));
  };
  try {
    const paths = await prepare(directory, agent, egressIds);
    await plan.fill(paths.home, agent);
    const trust = await prepareTrust(join(directory, "trust"), "throw-away");
    generation = await Generation.start(specOf(plan, directory, paths, agent, trust), paths.control);
    await writeJson(join(directory, "record.json"), { init: generation.init });
    await supervisor.start({
      spec: () =>
        egressSpecOf({
          id: basenameOf(directory),
          directory,
          socket: paths.egressSocket,
          state: paths.egress,
          host: paths.hostView,
          ids: egressIds,
          seccomp: context.seccomp.egress,
          compiled: context.compiledEgress,
        }),
      configure: async () => {
        const spec = { ...plan.spec, ...unused };
        const operator = await context.operator();
        const secrets = await secretsFor(spec, operator, context.handed);
        const granted = { ...operator, grants: [...operator.grants, ...plan.grants] };
        return configureOf({ spec, overrides: none, operator: granted, secrets, trust, ports: [] });
      },
    });
    return {
      entry: {
        launcher: launcherPath(),
        control: paths.control,
        env: sandboxEnvironment(plan.spec.credentials),
        cwd: plan.folder ?? inside.workspace,
      },
      home: paths.home,
      audit: join(paths.egress, "audit.jsonl"),
      refused: () =>
        readDenials(join(paths.egress, "audit.jsonl")).map(({ host, port, reason }) =>
          escapeControls(`${host ?? "?"}${port === undefined ? "" : `:${port}`} ${reason ?? ""}`),
        ),
      end,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Ends what a daemon that was killed has left, and leaves its files to whoever empties the trash. */
export async function clearThrowAways(state: string): Promise<void> {
  const [folder, trash] = [folderOf(state), join(state, "trash")];
  await mkdir(trash, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder).catch(() => [])) {
    const directory = join(folder, name);
    // One that cannot be read was not written to its end: its init is found by its socket.
    const record: { init: ProcessIdentity } | undefined = await readJson(
      join(directory, "record.json"),
      recordSchema,
    ).catch(() => undefined);
    const found = await Generation.adopt(join(directory, "init.sock"), 1, record?.init ?? null);
    await found?.stop(0);
    await rename(directory, join(trash, name));
  }
}

/** A throw-away has no agent, no port and nobody who restarts it. */
const unused = {
  agent: { kind: "command", command: ["-"], env: {} },
  workspace: "-",
  ports: [],
  restart: "never",
} as const satisfies Partial<HostSandbox>;
const none = { revision: 0, live: null, allows: [], blocks: [] };

interface Paths {
  readonly home: string;
  readonly egress: string;
  readonly hostView: string;
  readonly control: string;
  readonly egressSocket: string;
  readonly upper: string;
  readonly work: string;
}

async function prepare(directory: string, agent: Ids, egressIds: Ids): Promise<Paths> {
  const at = (name: string): string => join(directory, name);
  const owned = { home: agent, upper: agent, work: agent, egress: egressIds };
  await mkdir(at("logs"), { recursive: true, mode: 0o700 });
  for (const [name, { uid, gid }] of Object.entries(owned)) {
    await mkdir(at(name), { mode: 0o700 });
    if (ownIds().uid === 0) await chown(at(name), uid, gid);
  }
  await makeHostView(at("host"));
  return {
    home: at("home"),
    egress: at("egress"),
    hostView: at("host"),
    control: at("init.sock"),
    egressSocket: at("egress.sock"),
    upper: at("upper"),
    work: at("work"),
  };
}

function specOf(
  { spec, binds, folder }: ThrowAwayPlan,
  directory: string,
  { home, upper, work }: Paths,
  agent: Ids,
  trust: Trust,
): SandboxSpec {
  const overlay = folder === undefined ? undefined : { at: folder, lower: folder, upper, work };
  const { root, rules } = sandboxRoot(spec.files, spec.name, { data: home, trust, binds, overlay });
  return {
    id: `throw-away ${basenameOf(directory)}`,
    generation: 1,
    hostname: spec.name,
    directory,
    identity: { inside: inside.ids, outside: { ...agent } },
    root,
    landlock: { requirement: spec.walls.files, rules },
    seccomp: { requirement: spec.walls.syscalls, profile: spec.seccomp },
    network: capture,
    limits: limitsOf(spec.resources),
    process: null,
    ports: [],
    grace_ms: 0,
  };
}

const basenameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Below the ids of lasting sandboxes; free again when the throw-away is gone. */
function takeIds(taken: Set<number>): Ids {
  const user = ownIds();
  if (user.uid !== 0) return user;
  let uid = 690_000;
  while (taken.has(uid)) uid += 1;
  taken.add(uid);
  return { uid, gid: uid };
}

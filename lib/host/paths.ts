import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where things are on this host (XDG Base Directory Specification 0.8). Nothing here is created. */
type Environment = Readonly<Record<string, string | undefined>>;

export const stateDirectory = (env: Environment = process.env): string =>
  resolve(env["NACRE_STATE_DIR"] ?? join(xdg(env, "XDG_STATE_HOME", ".local/state"), "nacre"));

export const cacheDirectory = (env: Environment = process.env): string =>
  resolve(env["NACRE_CACHE_DIR"] ?? join(xdg(env, "XDG_CACHE_HOME", ".cache"), "nacre"));

/** The operator's file: never seen or written from inside, never part of a blueprint. */
export const operatorFile = (env: Environment = process.env): string =>
  join(xdg(env, "XDG_CONFIG_HOME", ".config"), "nacre", "host.yaml");

/** The specification says that a relative path in such a variable is to be ignored. */
function xdg(env: Environment, variable: string, fallback: string): string {
  const value = env[variable];
  return value?.startsWith("/") === true ? value : join(env["HOME"] ?? homedir(), fallback);
}

/** The folder name of `environment/name`. Names hold no double dash, so it reads back without doubt. */
export const folderOf = (id: string): string => id.replace("/", "--");
export const idOfFolder = (folder: string): string => folder.replace("--", "/");

/** The paths of one sandbox under the state directory. */
export function sandboxPaths(state: string, id: string) {
  const directory = join(state, "sandboxes", folderOf(id));
  const egress = join(state, "egress", folderOf(id));
  return {
    directory,
    record: join(directory, "sandbox.json"),
    overrides: join(directory, "overrides.json"),
    policies: join(directory, "policies"),
    control: join(directory, "init.sock"),
    egressSocket: join(directory, "egress.sock"),
    log: join(directory, "logs", "agent.log"),
    trust: join(directory, "trust"),
    token: join(directory, "token"),
    /** The egress' only writable folder. It parses an agent's bytes: what it wrote is read as hostile. */
    egress,
    audit: join(egress, "audit.jsonl"),
    egressLog: join(directory, "egress.log"),
  };
}
export type SandboxPaths = ReturnType<typeof sandboxPaths>;

export function workspacePaths(state: string, id: string) {
  const directory = join(state, "workspaces", folderOf(id));
  return { directory, record: join(directory, "workspace.json"), data: join(directory, "data") };
}

import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { NacreError } from "../error.ts";
import { idOf, type HostWorkspace } from "../synth/host-objects.ts";
import { ownIds, takeIds, type Ids } from "./outside-ids.ts";
import { workspacePaths } from "./paths.ts";
import { idsIn, readRecord, readWorkspace, writeWorkspace, type WorkspaceRecord } from "./record.ts";
import { removeTree } from "./remove-tree.ts";
import { syncFolder } from "./state.ts";

/** Agents' folders. Nothing outside looks into one by path: what is in it is the agent's. */

/** Finds it again, or makes it. @throws NacreError `name_in_use` when it is another project's */
export async function createWorkspace(state: string, spec: HostWorkspace): Promise<void> {
  const id = idOf(spec);
  const paths = workspacePaths(state, id);
  const found = await readWorkspace(state, id);
  if (found !== undefined && found.spec.project !== spec.project) throw inUse(id, found.spec.project);
  const owner = found?.owner ?? (await takeOwner(state));
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  // The record first: the ids that own files are known before there are files.
  if (found === undefined) await writeWorkspace(state, id, { spec, owner });
  await mkdir(paths.data, { recursive: true, mode: 0o700 });
  const { uid, gid } = owner;
  if (ownIds().uid === 0) await chown(paths.data, uid, gid);
  await syncFolder(paths.directory);
}

export async function listWorkspaces(state: string) {
  const used = new Set<string>();
  for (const id of await idsIn(state, "sandboxes")) {
    const record = await readRecord(state, id);
    if (record !== undefined) used.add(record.spec.workspace);
  }
  const ids = (await idsIn(state, "workspaces")).sort();
  const found = await Promise.all(ids.map(async (id) => ({ id, record: await readWorkspace(state, id) })));
  return found.flatMap(({ id, record }) =>
    record === undefined
      ? []
      : [{ id, project: record.spec.project, used: used.has(id), data: workspacePaths(state, id).data }],
  );
}

/** @throws NacreError `workspace_in_use` while a sandbox has it */
export async function deleteWorkspace(state: string, id: string): Promise<void> {
  for (const sandbox of await idsIn(state, "sandboxes")) {
    const record = await readRecord(state, sandbox);
    if (record?.spec.workspace !== id) continue;
    throw new NacreError({
      code: "workspace_in_use",
      subject: `workspace ${id}`,
      message: `sandbox ${sandbox} uses it`,
      hint: `destroy that sandbox first`,
    });
  }
  await removeTree(workspacePaths(state, id).directory, join(state, "trash"));
}

async function takeOwner(state: string): Promise<Ids> {
  const user = ownIds();
  return takeIds(user, await everyRecord(state), undefined).agent;
}

/** Every record that holds ids. One that is corrupt is an error: its ids must not be given away. */
export async function everyRecord(state: string) {
  const sandboxes = (await idsIn(state, "sandboxes")).map((id) => readRecord(state, id));
  const workspaces = (await idsIn(state, "workspaces")).map((id) => readWorkspace(state, id));
  return (
    await Promise.all<WorkspaceRecord | Awaited<ReturnType<typeof readRecord>>>([...sandboxes, ...workspaces])
  ).filter((record) => record !== undefined);
}

const inUse = (id: string, project: string): NacreError =>
  new NacreError({
    code: "name_in_use",
    subject: `workspace ${id}`,
    message: `belongs to project ${project} on this machine`,
    hint: `choose another environment or agent name, or destroy that project's; nacre workspace remove ${id} then removes its files`,
  });

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { publishSchema } from "../egress/protocol.ts";
import { sandboxSchema, workspaceSchema } from "../synth/host-objects.ts";
import { processIdentitySchema } from "./process-identity.ts";
import { folderOf, idOfFolder, sandboxPaths, workspacePaths } from "./paths.ts";
import { isCode, readJson, writeJson } from "./state.ts";

const ids = z.strictObject({ uid: z.int().positive(), gid: z.int().positive() });

/**
 * What is known of one sandbox on disk. It is written before anything of it starts, so that whatever was interrupted is
 * found again.
 */
export const sandboxRecordSchema = z.strictObject({
  id: z.string(),
  spec: sandboxSchema,
  /** User and group ids of the host that stand behind the agent and behind its egress. Never 0. */
  identity: z.strictObject({ agent: ids, egress: ids }),
  /** Counts the process trees; counted up before one starts. */
  generation: z.int().nonnegative(),
  /** The init of that generation; null: it was not seen to start. */
  init: processIdentitySchema.nullable(),
  egress: processIdentitySchema.nullable(),
  /** Whether it shall run: a stop, or a start that failed, keeps the daemon from starting it again by itself. */
  wanted: z.enum(["running", "stopped"]),
  /** The host's ports, chosen once. */
  published: z.array(publishSchema),
  /** Of a kit's tree, as it was when the agent last started. */
  kitDigest: z.string().nullable(),
  /** Why the last start did not come to run. */
  failure: z.string().nullable(),
});
export type SandboxRecord = z.infer<typeof sandboxRecordSchema>;

export const readRecord = (state: string, id: string): Promise<SandboxRecord | undefined> =>
  readJson(sandboxPaths(state, id).record, sandboxRecordSchema);

export const writeRecord = (state: string, record: SandboxRecord): Promise<void> =>
  writeJson(sandboxPaths(state, record.id).record, record);

export const workspaceRecordSchema = z.strictObject({
  spec: workspaceSchema,
  /** Whose files it holds. */
  owner: ids,
});
export type WorkspaceRecord = z.infer<typeof workspaceRecordSchema>;

export const readWorkspace = (state: string, id: string): Promise<WorkspaceRecord | undefined> =>
  readJson(workspacePaths(state, id).record, workspaceRecordSchema);

export const writeWorkspace = (state: string, id: string, record: WorkspaceRecord): Promise<void> =>
  writeJson(workspacePaths(state, id).record, record);

/** The ids of all folders under `sandboxes` or `workspaces`, whatever state they are in. */
export async function idsIn(state: string, kind: "sandboxes" | "workspaces"): Promise<string[]> {
  try {
    const names = await readdir(join(state, kind));
    return names
      .map(idOfFolder)
      .filter((id) => id.includes("/") && !folderOf(id).startsWith("."))
      .sort();
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

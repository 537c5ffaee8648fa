import type { SandboxRecord, WorkspaceRecord } from "./record.ts";

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Above what distributions give to people, services and subordinate ranges (login.defs(5): SUB_UID_MIN 100000 and up). */
const firstOutside = 700_000;

/**
 * Whose ids stand outside behind the processes of a sandbox. An ordinary user can only be themselves. Root takes two
 * that nothing else of Nacre has: the agent's stay with its workspace, so that the files stay its own; an egress' holds
 * one sandbox' keys.
 */
export function takeIds(
  user: Ids,
  taken: readonly (SandboxRecord | WorkspaceRecord)[],
  owner: Ids | undefined,
): SandboxRecord["identity"] {
  if (user.uid !== 0) return { agent: user, egress: user };
  const used = new Set(
    taken.flatMap((record) =>
      "owner" in record ? [record.owner.uid] : [record.identity.agent.uid, record.identity.egress.uid],
    ),
  );
  const free = (): Ids => {
    let uid = firstOutside;
    while (used.has(uid)) uid += 1;
    used.add(uid);
    return { uid, gid: uid };
  };
  return { agent: owner ?? free(), egress: free() };
}

export const ownIds = (): Ids => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

import { z } from "zod";
import type { ErrorParts } from "../error.ts";
import { launchErrorSchema } from "./launch-spec.ts";

/** One policy that was asked for, and what became of it. */
export const revisionSchema = z.strictObject({
  version: z.int().nonnegative(),
  /** SHA-256 of the base with the allows and blocks above it, as the egress and the audit name it. */
  hash: z.string(),
  /** SHA-256 of the base alone; its content is kept once, however many revisions have it. */
  base: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Bytes of that content. */
  size: z.int().nonnegative(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  by: z.enum(["up", "set", "allow", "disallow", "block", "unblock", "rollback"]),
  /** What it changed, for people. */
  what: z.string(),
  /** `Loaded`: it, or a later one that was made of it, came into force. */
  state: z.enum(["Pending", "Loaded", "Failed"]),
  error: launchErrorSchema.nullable(),
});
export type Revision = z.infer<typeof revisionSchema>;

/** How many are remembered, and how many bytes their bases have together at most; the last two always. */
export const mostRevisions = { count: 100, bytes: 16 * 1024 * 1024 } as const;

/** Versions are never given twice, also not that of a revision that was refused. */
export const nextVersion = (revisions: readonly Revision[], current: number): number =>
  Math.max(current, ...revisions.map(({ version }) => version)) + 1;

/** The oldest go where there are too many. */
export function withRevision(revisions: readonly Revision[], revision: Revision): Revision[] {
  const all = [...revisions, revision].slice(-mostRevisions.count);
  while (all.length > 2 && bytesOf(all) > mostRevisions.bytes) all.shift();
  return all;
}

/** The egress says that this version is in force: so is what it was made of. */
export const loadedRevision = (
  revisions: readonly Revision[],
  loaded: { readonly version: number; readonly hash: string },
): Revision[] =>
  revisions.map((revision) =>
    revision.state !== "Pending" || revision.version > loaded.version
      ? revision
      : {
          ...revision,
          state: "Loaded",
          hash: revision.version === loaded.version ? loaded.hash : revision.hash,
        },
  );

export const failedRevision = (
  revisions: readonly Revision[],
  version: number,
  error: ErrorParts,
): Revision[] =>
  revisions.map((revision) =>
    revision.version === version && revision.state === "Pending"
      ? { ...revision, state: "Failed", error: partsOf(error) }
      : revision,
  );

export const partsOf = ({ code, subject, message, hint }: ErrorParts): NonNullable<Revision["error"]> => ({
  code,
  subject,
  message,
  ...(hint !== undefined && { hint }),
});

/** What a rollback without a number goes to: the last other base that was in force. */
export const otherBefore = (revisions: readonly Revision[], base: string): Revision | undefined =>
  revisions.findLast((revision) => revision.state !== "Failed" && revision.base !== base);

const bytesOf = (revisions: readonly Revision[]): number => {
  const sizes = new Map(revisions.map(({ base, size }) => [base, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
};

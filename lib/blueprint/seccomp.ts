import { z } from "zod";
import type { Finding, Path } from "./problem.ts";

/** An OCI runtime-spec `linux.seccomp` object (https://github.com/opencontainers/runtime-spec, config-linux.md#seccomp). */
export const seccompProfileSchema = z.strictObject({
  defaultAction: z.string(),
  defaultErrnoRet: z.int().nonnegative().optional(),
  architectures: z.array(z.string()).optional(),
  syscalls: z.array(
    z.strictObject({
      names: z.array(z.string()).min(1),
      action: z.string(),
      errnoRet: z.int().nonnegative().optional(),
      args: z
        .array(
          z.strictObject({
            index: z.int().min(0).max(5),
            value: z.int().nonnegative(),
            valueTwo: z.int().nonnegative().optional(),
            op: z.enum([
              "SCMP_CMP_NE",
              "SCMP_CMP_LT",
              "SCMP_CMP_LE",
              "SCMP_CMP_EQ",
              "SCMP_CMP_GE",
              "SCMP_CMP_GT",
              "SCMP_CMP_MASKED_EQ",
            ]),
          }),
        )
        .optional(),
      comment: z.string().optional(),
    }),
  ),
});
export type SeccompProfileDocument = z.infer<typeof seccompProfileSchema>;

/** What a call may meet that no entry names. Anything else would make the profile a list of exceptions to "allowed". */
const REFUSING = [
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
];

/** A profile must be an allow-list: what it does not name is refused. */
export function seccompFindings({ defaultAction }: SeccompProfileDocument, at: Path): Finding[] {
  if (REFUSING.includes(defaultAction)) return [];
  const reason = `no allow-list: a call that it does not name meets ${JSON.stringify(defaultAction)}`;
  return [
    {
      path: [...at, "defaultAction"],
      reason,
      fix: "write SCMP_ACT_ERRNO, and name the calls that are allowed",
    },
  ];
}

import { z } from "zod";

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

import { z } from "zod";

const portsSchema = z.record(
  z.string(),
  z.array(z.looseObject({ HostIp: z.string(), HostPort: z.string() })).nullish(),
);

/** GET /containers/{name}/json, what is asked of it. */
export const containerSchema = z.looseObject({
  Id: z.string(),
  Name: z.string(),
  /** The image's id, `sha256:…`. */
  Image: z.string(),
  Created: z.string(),
  RestartCount: z.number().default(0),
  State: z.looseObject({
    Status: z.string(),
    Running: z.boolean(),
    Pid: z.number(),
    ExitCode: z.number(),
    OOMKilled: z.boolean().optional(),
    Error: z.string().optional(),
    StartedAt: z.string(),
    FinishedAt: z.string(),
    /** `none` and absent are the same: no health check. */
    Health: z.looseObject({ Status: z.string(), FailingStreak: z.number().default(0) }).nullish(),
  }),
  Config: z.looseObject({
    Image: z.string(),
    Tty: z.boolean().default(false),
    Labels: z.record(z.string(), z.string()).nullish(),
    Cmd: z.array(z.string()).nullish(),
    Env: z.array(z.string()).nullish(),
  }),
  HostConfig: z.looseObject({
    Privileged: z.boolean().optional(),
    Memory: z.number().optional(),
    NanoCpus: z.number().optional(),
    RestartPolicy: z.looseObject({ Name: z.string() }).nullish(),
  }),
  Mounts: z
    .array(
      z.looseObject({
        Type: z.string(),
        Name: z.string().optional(),
        Source: z.string(),
        Destination: z.string(),
      }),
    )
    .nullish(),
  NetworkSettings: z.looseObject({
    Ports: portsSchema.nullish(),
    Networks: z.record(z.string(), z.looseObject({ IPAddress: z.string().nullish() })).nullish(),
  }),
});

export type Container = z.infer<typeof containerSchema>;

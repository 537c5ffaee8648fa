import { z } from "zod";

const text = z.string();
const texts = z.array(text);
const map = z.record(text, text);
const size = z.number().int().min(0);
const duration = text.regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, "is no duration: 10s, 1m30s");

/**
 * What @pulumi/docker sends for a container, as far as the stand-in does it: anything else is refused by Check, so that a
 * program that relies on more is told so here. Patterns and bounds are those of the real provider.
 */
export const containerInputs = z.strictObject({
  name: text,
  image: text.min(1),
  command: texts.optional(),
  entrypoints: texts.optional(),
  envs: texts.optional(),
  user: text.optional(),
  workingDir: text.optional(),
  hostname: text.optional(),
  domainname: text.optional(),
  labels: z.array(z.strictObject({ label: text, value: text })).optional(),
  privileged: z.boolean().optional(),
  readOnly: z.boolean().optional(),
  init: z.boolean().optional(),
  capabilities: z.strictObject({ adds: texts.optional(), drops: texts.optional() }).optional(),
  securityOpts: texts.optional(),
  sysctls: map.optional(),
  tmpfs: map.optional(),
  shmSize: size.optional(),
  memory: size.optional(),
  memorySwap: z.number().int().min(-1).optional(),
  cpuShares: size.optional(),
  cpuSet: text.regex(/^\d+([,-]\d+)*$/).optional(),
  cpus: text.regex(/^\d+(\.\d+)?$/).optional(),
  runtime: text.optional(),
  pidMode: text.optional(),
  ipcMode: text.optional(),
  usernsMode: text.optional(),
  cgroupnsMode: z.enum(["private", "host"]).optional(),
  networkMode: text.optional(),
  networksAdvanced: z
    .array(z.strictObject({ name: text, aliases: texts.optional(), ipv4Address: text.optional() }))
    .optional(),
  dns: texts.optional(),
  hosts: z.array(z.strictObject({ host: text, ip: text })).optional(),
  ports: z
    .array(
      z.strictObject({
        internal: z.number().int(),
        external: z.number().int().optional(),
        ip: text.default("0.0.0.0"),
        protocol: text.default("tcp"),
      }),
    )
    .optional(),
  volumes: z
    .array(
      z.strictObject({
        containerPath: text,
        hostPath: text.startsWith("/").optional(),
        volumeName: text.optional(),
        readOnly: z.boolean().optional(),
      }),
    )
    .optional(),
  mounts: z
    .array(
      z.strictObject({
        target: text,
        source: text.optional(),
        type: z.enum(["bind", "volume", "tmpfs"]),
        readOnly: z.boolean().optional(),
        bindOptions: z.strictObject({ propagation: text.optional() }).optional(),
        tmpfsOptions: z.strictObject({ mode: size.optional(), sizeBytes: size.optional() }).optional(),
        volumeOptions: z.strictObject({ noCopy: z.boolean().optional() }).optional(),
      }),
    )
    .optional(),
  uploads: z
    .array(
      z.strictObject({
        file: text,
        content: text.optional(),
        contentBase64: z.base64().optional(),
        executable: z.boolean().optional(),
        permissions: text
          .regex(/^0[0-7]{3}$/)
          .optional()
          .describe("four digits, the first a zero"),
      }),
    )
    .optional(),
  healthcheck: z
    .strictObject({
      tests: texts,
      interval: duration.optional(),
      timeout: duration.optional(),
      startPeriod: duration.optional(),
      retries: size.optional(),
    })
    .optional(),
  ulimits: z.array(z.strictObject({ name: text, soft: z.number(), hard: z.number() })).optional(),
  restart: z.enum(["no", "on-failure", "always", "unless-stopped"]).optional(),
  maxRetryCount: size.optional(),
  stopSignal: text.optional(),
  stopTimeout: size.optional(),
  destroyGraceSeconds: size.optional(),
  removeVolumes: z.boolean().optional(),
  start: z.boolean().optional(),
  mustRun: z.boolean().optional(),
  wait: z.boolean().optional(),
  waitTimeout: size.optional(),
  logDriver: text.optional(),
  logOpts: map.optional(),
});

export type ContainerInputs = z.infer<typeof containerInputs>;

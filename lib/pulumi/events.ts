import { z } from "zod";

/**
 * What we read of the engine's events (sdk/go/common/apitype/events.go). The SDK's own types lag behind the engine, and a
 * newer one may say more: everything else passes by.
 */
const state = z.looseObject({
  id: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.unknown()).optional(),
  retainOnDelete: z.boolean().optional(),
  initErrors: z.array(z.string()).nullish(),
});

const metadata = z.looseObject({
  op: z.string(),
  urn: z.string(),
  type: z.string(),
  old: state.nullish(),
  new: state.nullish(),
  detailedDiff: z.record(z.string(), z.looseObject({ diffKind: z.string() })).nullish(),
});
export type StepMetadata = z.infer<typeof metadata>;

export const engineEventSchema = z.looseObject({
  resourcePreEvent: z.looseObject({ metadata }).optional(),
  resOutputsEvent: z.looseObject({ metadata }).optional(),
  resOpFailedEvent: z.looseObject({ metadata }).optional(),
  diagnosticEvent: z
    .looseObject({
      urn: z.string().optional(),
      message: z.string(),
      severity: z.string(),
      ephemeral: z.boolean().optional(),
    })
    .optional(),
  summaryEvent: z
    .looseObject({ durationSeconds: z.number().optional(), result: z.string().optional() })
    .optional(),
});
export type EngineEvent = z.infer<typeof engineEventSchema>;

/** The last part of a URN: what the program called it. */
export const nameOf = (urn: string): string => urn.split("::").at(-1) ?? urn;

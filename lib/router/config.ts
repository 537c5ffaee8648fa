import { z } from "zod";

/** One inference provider, as the blueprint names it. */
export const providerSchema = z.strictObject({
  kind: z.enum(["nvidia", "openai", "demo"]),
  /** Overwrites the model that the agent asks for. */
  model: z.string().min(1),
  /** Base URL up to and with `/v1`; the vendor's own where it is left out. */
  endpoint: z.url().optional(),
  /** The name of the operator's secret that is injected. */
  credential: z.string().optional(),
  /** Private data may go there. Nothing asks for it yet. */
  trusted: z.boolean(),
});
export type Provider = z.infer<typeof providerSchema>;

export const inferenceSchema = z.strictObject({
  route: z.strictObject({
    /** Providers in order of trial. Only one is used yet; more are refused. */
    try: z.array(z.string()).min(1),
    /** Until the provider's first byte. */
    timeoutSeconds: z.number().positive(),
  }),
  providers: z.record(z.string(), providerSchema),
  /** Values by credential name, kept in memory only. A name that lacks here answers `credential_unavailable`. */
  secrets: z.record(z.string(), z.string()),
});
export type Inference = z.infer<typeof inferenceSchema>;

import { z } from "zod";
import type { ProviderSpec } from "./blueprint.ts";
import { nameSchema } from "./names.ts";
import { durationSchema } from "./quantities.ts";

/** The model of NVIDIA Endpoints that is asked when a provider names none. */
export const NVIDIA_MODEL = "nvidia/nemotron-3-super-120b-a12b";
/** How long a provider may take until its first byte when a route says nothing. */
export const ROUTE_TIMEOUT = "60s";

/** Where prompts may be answered. */
export const providerSchema = z.strictObject({
  kind: z
    .enum(["nvidia", "openai", "demo"])
    .describe(
      "`nvidia`: NVIDIA Endpoints. `openai`: OpenAI, or with `endpoint` anything that speaks its protocol. " +
        "`demo`: a small deterministic model inside Nacre, which needs no key and says that it is a demo.",
    )
    .meta({ examples: ["nvidia"] }),
  model: z
    .string()
    .min(1, "the name of a model")
    .optional()
    .describe("The model's name, as the provider lists it.")
    .meta({ default: `\`${NVIDIA_MODEL}\` for \`nvidia\`, \`demo\` for \`demo\`; required for \`openai\`` }),
  endpoint: z
    .string()
    .optional()
    .describe(
      "Base URL of a compatible service, with its version: `http://127.0.0.1:11434/v1`. " +
        "One that is not public needs a grant in the operator's file.",
    )
    .meta({ default: "the provider's public one", examples: ["http://127.0.0.1:11434/v1"] }),
  credential: nameSchema
    .optional()
    .describe("Name of a secret that the operator's file maps, for that host. Never the secret itself.")
    .meta({
      default: "none",
      examples: ["nvidia"],
      unspoken: "write the name of a secret, for example nvidia; never the secret itself",
    }),
  trusted: z
    .boolean()
    .optional()
    .describe("Prompts may go there as they are: a model on the operator's own machines.")
    .meta({ default: "false" }),
});
export type ProviderDocument = z.infer<typeof providerSchema>;

/** Who answers an agent's prompts, in order of trial. */
export const routeSchema = z.strictObject({
  try: z
    .array(z.string())
    .min(1, "at least one provider")
    .describe("Names of providers in order of trial. Only one is enforced yet.")
    .meta({ examples: ["[nvidia]"] }),
  timeout: durationSchema
    .optional()
    .describe("Until the provider's first byte.")
    .meta({ default: `\`${ROUTE_TIMEOUT}\``, examples: ["60s"] }),
  budget: z
    .strictObject({
      tokensPerDay: z.int().positive("more than 0").optional().describe("Tokens in any 24 hours."),
    })
    .optional()
    .describe("A limit of use.")
    .meta({ unenforced: true }),
});
export type RouteDocument = z.infer<typeof routeSchema>;

export const inferenceSchema = z.strictObject({
  routes: z
    .record(nameSchema, routeSchema)
    .optional()
    .describe("Routes by name; an agent names the one that answers `https://inference.local/v1`."),
  providers: z.record(nameSchema, providerSchema).optional().describe("Inference providers by name."),
});

/** A provider with its defaults written out. */
export function providerOf(name: string, provider: ProviderDocument): ProviderSpec {
  const { kind, endpoint, credential } = provider;
  return {
    name,
    kind,
    model: provider.model ?? (kind === "nvidia" ? NVIDIA_MODEL : kind),
    ...(endpoint === undefined ? {} : { endpoint: baseUrl(endpoint) }),
    ...(credential === undefined ? {} : { credential }),
    trusted: provider.trusted ?? false,
  };
}

/** One spelling for one base URL; what is no URL stays as it is, for the checks to refuse. */
const baseUrl = (written: string): string =>
  URL.canParse(written) ? new URL(written).href.replace(/\/$/, "") : written;

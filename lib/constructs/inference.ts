import { checkProvider, findings, providerOf, type Finding, type ProviderSpec } from "../blueprint/index.ts";
import { providerSchema, type ProviderDocument } from "../blueprint/inference.ts";
import type { Secret } from "./secret.ts";

export interface InferenceOptions {
  /**
   * The provider's name in status and audit.
   * @default the kind's: `nvidia`, `openai`, `ollama`, `demo`
   */
  readonly name?: string;
  /**
   * The model, as the provider lists it.
   * @default the provider's own
   */
  readonly model?: string;
  /**
   * Prompts may go there as they are: a model on the operator's own machines.
   * @default false, so that later redaction treats it as somebody else's
   */
  readonly trusted?: boolean;
}

/** An inference provider: what answers prompts. The agent never sees its address or its credential. */
export class Inference {
  readonly name: string;
  readonly document: ProviderDocument;

  private constructor(name: string, document: ProviderDocument) {
    this.name = name;
    this.document = document;
  }

  /** NVIDIA Endpoints (build.nvidia.com). */
  static nvidia(options: InferenceOptions & { readonly credential: Secret }): Inference {
    const { name = "nvidia", credential, ...rest } = options;
    return new Inference(name, { kind: "nvidia", credential: credential.name, ...rest });
  }

  /** OpenAI. */
  static openai(
    options: InferenceOptions & { readonly model: string; readonly credential: Secret },
  ): Inference {
    const { name = "openai", credential, ...rest } = options;
    return new Inference(name, { kind: "openai", credential: credential.name, ...rest });
  }

  /** Anything that speaks OpenAI's protocol. An address that is not public needs a grant in the operator's file. */
  static compatible(
    endpoint: string,
    options: InferenceOptions & { readonly model: string; readonly credential?: Secret },
  ): Inference {
    const { name = "compatible", credential, ...rest } = options;
    const key = credential === undefined ? {} : { credential: credential.name };
    return new Inference(name, { kind: "openai", endpoint, ...key, ...rest });
  }

  /** A model of an Ollama on the operator's own machine. Its address needs a grant in the operator's file. */
  static ollama(
    model: string,
    options: Omit<InferenceOptions, "model"> & { readonly endpoint?: string } = {},
  ): Inference {
    const { name = "ollama", endpoint = "http://127.0.0.1:11434/v1", trusted = true } = options;
    return new Inference(name, { kind: "openai", endpoint, model, trusted });
  }

  /** A small deterministic model inside Nacre: no key, no network, and it says that it is a demo. */
  static demo(options: Pick<InferenceOptions, "name"> = {}): Inference {
    return new Inference(options.name ?? "demo", { kind: "demo" });
  }

  /** A provider that a blueprint states. */
  static of({ name, ...document }: ProviderSpec): Inference {
    return new Inference(name, document);
  }

  get spec(): ProviderSpec {
    return providerOf(this.name, this.document);
  }

  /** What is wrong with it, at `path`. */
  check(path: readonly (string | number)[]): Finding[] {
    const shape = findings(providerSchema, this.document);
    return (shape.length > 0 ? shape : checkProvider(this.document, [])).map((finding) => ({
      ...finding,
      path: [...path, ...finding.path],
    }));
  }
}

import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Manifest } from "../../lib/synth/kubernetes.ts";

/** Where an API server is, and who asks it. */
export interface Access {
  readonly url: string;
  readonly caFile: string;
  readonly certificate: string;
  readonly key: string;
}

export interface Answer {
  readonly status: number;
  /** The object, or a `Status` with a message. */
  readonly body: Record<string, unknown> & { readonly message?: string; readonly reason?: string };
}

const plurals: Readonly<Record<string, string>> = {
  NetworkPolicy: "networkpolicies",
  ValidatingAdmissionPolicy: "validatingadmissionpolicies",
  PriorityClass: "priorityclasses",
  RuntimeClass: "runtimeclasses",
};

/** The API as it is: objects go there as they are written, and its answer is not typed. */
export class Api {
  readonly #access: Access;
  readonly #agent: Agent;

  constructor(access: Access) {
    const [ca, cert, key] = [access.caFile, access.certificate, access.key].map((file) => readFileSync(file));
    this.#access = access;
    this.#agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: 8 });
  }

  /** The folder of an object's kind: `/apis/apps/v1/namespaces/dev/deployments`. */
  static pathOf({ apiVersion, kind, metadata: { namespace } }: Manifest): string {
    const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const plural = plurals[kind] ?? (kind.endsWith("s") ? `${kind}es` : `${kind}s`).toLowerCase();
    return `${group}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}`;
  }

  async create(manifest: Manifest, { dryRun = false } = {}): Promise<Answer> {
    return this.send("POST", `${Api.pathOf(manifest)}${dryRun ? "?dryRun=All" : ""}`, manifest);
  }

  async read(manifest: Manifest): Promise<Answer> {
    return this.send("GET", `${Api.pathOf(manifest)}/${manifest.metadata.name}`);
  }

  /** Replaces what is there. */
  async replace(manifest: Manifest, { dryRun = false } = {}): Promise<Answer> {
    const path = `${Api.pathOf(manifest)}/${manifest.metadata.name}`;
    return this.send("PUT", `${path}${dryRun ? "?dryRun=All" : ""}`, manifest);
  }

  async send(method: string, path: string, body?: unknown): Promise<Answer> {
    return new Promise((done, fail) => {
      const headers = { "content-type": "application/json", accept: "application/json" };
      const call = request(
        `${this.#access.url}${path}`,
        { method, agent: this.#agent, headers },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => (text += part));
          response.on("error", fail).on("end", () => {
            done({ status: response.statusCode ?? 0, body: parsed(text) });
          });
        },
      );
      call.on("error", fail);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parsed(text: string): Answer["body"] {
  try {
    return JSON.parse(text) as Answer["body"];
  } catch {
    return { message: text };
  }
}

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
  Endpoints: "endpoints",
  CiliumNetworkPolicy: "ciliumnetworkpolicies",
  CiliumLocalRedirectPolicy: "ciliumlocalredirectpolicies",
};

/** The API as it is: objects go there as they are written, and its answer is not typed. */
export class Api {
  readonly #access: Access;
  readonly #agent: Agent;
  readonly #user: string | undefined;

  constructor(access: Access, user?: string, agent = agentOf(access)) {
    this.#access = access;
    this.#user = user;
    this.#agent = agent;
  }

  /** The same as another user (impersonation), over the same connections. */
  as(user: string): Api {
    return new Api(this.#access, user, this.#agent);
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
      const headers = {
        "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
        accept: "application/json",
        ...(this.#user !== undefined && { "impersonate-user": this.#user }),
      };
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

function agentOf({ caFile, certificate, key: keyFile }: Access): Agent {
  const [ca, cert, key] = [caFile, certificate, keyFile].map((file) => readFileSync(file));
  return new Agent({ ca, cert, key, keepAlive: true, maxSockets: 8 });
}

function parsed(text: string): Answer["body"] {
  try {
    return JSON.parse(text) as Answer["body"];
  } catch {
    return { message: text };
  }
}

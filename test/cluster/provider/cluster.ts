import { request, type RequestOptions } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeConfig } from "@kubernetes/client-node";
import { textAt, type Properties } from "./values.ts";

/** An answer of the API server that is no success, with its own words. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** There is no such path: no object answers, but the server. */
class NotServed extends ApiError {}

/** Nobody answers: what the real provider calls an unreachable cluster. */
export class Unreachable extends Error {}

interface Kind {
  readonly kind: string;
  readonly name: string;
  readonly namespaced: boolean;
}

const ANSWER_MS = 20_000;
/** For a kind whose CustomResourceDefinition was made a moment ago. */
const KIND_MS = 10_000;

/** The API as JSON, without the client's models: they drop fields that they do not know. */
export class Cluster {
  readonly #config: KubeConfig;
  readonly #kinds = new Map<string, Kind>();

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** Undefined: it is not there, or not even its kind. */
  async read(object: Properties): Promise<Properties | undefined> {
    const path = await this.#path(object, 0).catch(absent);
    return path === undefined ? undefined : await this.#call("GET", path).catch(absent);
  }

  async apply(object: Properties, manager: string, force: boolean): Promise<Properties> {
    const path = await this.#path(object, KIND_MS);
    const query = new URLSearchParams({ fieldManager: manager, force: String(force) });
    // Discovery names a new kind a moment before the server serves it.
    const end = Date.now() + KIND_MS;
    for (;;) {
      try {
        return await this.#call(
          "PATCH",
          `${path}?${query.toString()}`,
          object,
          "application/apply-patch+yaml",
        );
      } catch (error) {
        if (!(error instanceof NotServed) || Date.now() >= end) throw error;
      }
      await sleep(200);
    }
  }

  async delete(object: Properties, propagationPolicy: string): Promise<void> {
    const options = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy };
    const path = await this.#path(object, 0).catch(absent);
    if (path !== undefined) await this.#call("DELETE", path, options).catch(absent);
  }

  /** Whether an object of this kind lies in a namespace. */
  async isNamespaced(object: Properties): Promise<boolean> {
    return (await this.#kind(object, KIND_MS)).namespaced;
  }

  async #path(object: Properties, milliseconds: number): Promise<string> {
    const { name, namespaced } = await this.#kind(object, milliseconds);
    const folder = namespaced ? `/namespaces/${textAt(object, "metadata.namespace") ?? "default"}` : "";
    return `${groupOf(object)}${folder}/${name}/${textAt(object, "metadata.name") ?? ""}`;
  }

  async #kind(object: Properties, milliseconds: number): Promise<Kind> {
    const [group, kind] = [groupOf(object), textAt(object, "kind") ?? ""];
    const key = `${group}/${kind}`;
    const end = Date.now() + milliseconds;
    for (;;) {
      const known = this.#kinds.get(key) ?? (await this.#discover(group, kind));
      if (known !== undefined) {
        this.#kinds.set(key, known);
        return known;
      }
      if (Date.now() >= end) throw new ApiError(404, `no matches for kind "${kind}" in ${group}`);
      await sleep(200);
    }
  }

  async #discover(group: string, kind: string): Promise<Kind | undefined> {
    const list = await this.#call("GET", group).catch(absent);
    const resources = (list?.["resources"] ?? []) as readonly Kind[];
    return resources.find((each) => each.kind === kind && !each.name.includes("/")); // no subresource
  }

  async #call(
    method: string,
    path: string,
    body?: Properties,
    type = "application/json",
  ): Promise<Properties> {
    const server = this.#config.getCurrentCluster()?.server ?? "";
    const options: RequestOptions = { method, timeout: ANSWER_MS, headers: {} };
    await this.#config.applyToHTTPSOptions(options);
    options.agent = false; // each call its own connection: an API server that went away is noticed
    const { status, text } = await exchange(new URL(path, server), options, type, body);
    if (status === 404 && !text.startsWith("{")) throw new NotServed(status, text.trim());
    const answer = JSON.parse(text || "{}") as Properties;
    if (status < 300) return answer;
    throw new ApiError(status, textAt(answer, "message") ?? `HTTP ${status}`);
  }
}

const groupOf = (object: Properties): string => {
  const version = textAt(object, "apiVersion") ?? "";
  return version.includes("/") ? `/apis/${version}` : `/api/${version}`;
};

function absent(error: unknown): undefined {
  if (!(error instanceof ApiError && error.status === 404)) throw error;
}

function exchange(
  url: URL,
  options: RequestOptions,
  type: string,
  body: Properties | undefined,
): Promise<{ status: number; text: string }> {
  return new Promise((done, fail) => {
    const lost = (error: Error): void =>
      fail(new Unreachable(`configured Kubernetes cluster is unreachable: ${url.host}: ${error.message}`));
    const call = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => done({ status: response.statusCode ?? 0, text })).on("error", lost);
    });
    call.on("timeout", () => call.destroy(new Error("no answer"))).on("error", lost);
    if (body !== undefined) call.setHeader("content-type", type);
    call.end(body && JSON.stringify(body));
  });
}

import { request } from "node:https";
import { parse } from "yaml";
import { z } from "zod";

const schema = z.looseObject({
  clusters: z.tuple([
    z.looseObject({
      cluster: z.looseObject({ server: z.url(), "certificate-authority-data": z.base64() }),
    }),
  ]),
  users: z.tuple([
    z.looseObject({
      user: z.looseObject({ "client-certificate-data": z.base64(), "client-key-data": z.base64() }),
    }),
  ]),
});

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Speaks to a cluster by an administrator's kubeconfig, at another port than the one that it names. */
export class Cluster {
  readonly server: string;
  readonly #tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  readonly #port: number;

  constructor(kubeconfig: string, port: number) {
    const { clusters, users } = schema.parse(parse(kubeconfig));
    const [{ cluster }] = clusters;
    const [{ user }] = users;
    const bytes = (text: string): Buffer => Buffer.from(text, "base64");
    this.server = cluster.server;
    this.#port = port;
    this.#tls = {
      ca: bytes(cluster["certificate-authority-data"]),
      cert: bytes(user["client-certificate-data"]),
      key: bytes(user["client-key-data"]),
    };
  }

  /** @param name whom the server must prove to be: one of its certificate's names */
  ask(method: string, path: string, body?: object, name = "localhost"): Promise<Answer> {
    return new Promise((done, fail) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          servername: name,
          method,
          path,
          agent: false,
          timeout: 20_000,
          headers: { "content-type": "application/json" },
          ...this.#tls,
        },
        (response) => {
          response.toArray().then(
            (pieces) =>
              done({
                status: response.statusCode ?? 0,
                body: Buffer.concat(pieces as Buffer[]).toString(),
              }),
            fail,
          );
        },
      );
      sent.on("timeout", () => sent.destroy(new Error(`${path}: no answer`)));
      sent.on("error", fail);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

import { request } from "node:https";
import type { ClusterAccess } from "./kubeconfig.ts";

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

const largest = 1 << 20;

/**
 * One GET to the API server, as its administrator; only a server that the cluster's own authority signed is spoken to.
 * Rejects with Node's own error where there is no answer.
 * @param patience milliseconds
 */
export function askApi(
  server: string,
  { authority, certificate, key }: ClusterAccess,
  path: string,
  patience = 5000,
): Promise<ApiAnswer> {
  const url = new URL(path, server);
  return new Promise((done, fail) => {
    const sent = request(
      url,
      { ca: authority, cert: certificate, key, agent: false, timeout: patience },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          body += piece;
          if (body.length > largest) response.destroy(new Error("its answer is too large"));
        });
        response.on("error", fail);
        response.on("end", () => done({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${patience / 1000} s`)));
    sent.on("error", fail);
    sent.end();
  });
}

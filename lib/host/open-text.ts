import type { Allow } from "../egress/protocol.ts";

/** `GET /issues of api.example.com:443 from /usr/bin/curl`. */
export function openText({ host, port, binary, method, path, query }: Omit<Allow, "id" | "until">): string {
  const request = method === undefined ? "" : `${method} ${path ?? ""}${queryText(query)} of `;
  return `${request}${host}:${port}${binary === undefined ? "" : ` from ${binary}`}`;
}

/** `?kind=a`; of a request that must have none, so. Left out, it may be any. */
export const queryText = (query: string | undefined): string =>
  query === undefined ? "" : query === "" ? " without a query" : `?${query}`;

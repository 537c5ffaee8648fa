import type { Allow } from "../egress/protocol.ts";

/** `GET /issues of api.example.com:443 from /usr/bin/curl`. */
export function openText({ host, port, binary, method, path }: Omit<Allow, "id" | "until">): string {
  const request = method === undefined ? "" : `${method} ${path ?? ""} of `;
  return `${request}${host}:${port}${binary === undefined ? "" : ` from ${binary}`}`;
}

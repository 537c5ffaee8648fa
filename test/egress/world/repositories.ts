import { spawn } from "node:child_process";
import fs from "node:fs";
import type http from "node:http";
import path from "node:path";

/**
 * What real clients ask an origin for: git's smart protocol (`/git/…`, by git's own `http-backend`), and files (`/files/…`) for the
 * indexes of npm and pip. @returns whether the request was one of these
 */
export function serveRepositories(
  folder: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): boolean {
  const [at = "", query = ""] = (request.url ?? "").split("?");
  if (at.startsWith("/git/")) {
    git(folder, at.slice("/git".length), query, request, response);
    return true;
  }
  if (at.startsWith("/files/")) {
    const file = path.join(folder, "files", decodeURIComponent(at.slice("/files/".length)));
    const found = fs.statSync(file, { throwIfNoEntry: false });
    const shown = found?.isDirectory() === true ? path.join(file, "index.html") : file;
    const type = shown.endsWith(".html")
      ? "text/html"
      : shown.endsWith(".json")
        ? "application/json"
        : "application/octet-stream";
    const stream = fs.createReadStream(shown);
    stream.once("open", () => response.writeHead(200, { "content-type": type }));
    stream.once("error", () => response.writeHead(404).end());
    stream.pipe(response);
    return true;
  }
  return false;
}

/** RFC 3875, as far as git needs it. */
function git(
  folder: string,
  at: string,
  query: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: path.join(folder, "git"),
      GIT_HTTP_EXPORT_ALL: "1",
      REMOTE_USER: "test",
      PATH_INFO: at,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    },
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => undefined);
  let head = Buffer.alloc(0);
  child.stdout.on("data", function take(chunk: Buffer) {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    child.stdout.off("data", take);
    const fields = head
      .subarray(0, end)
      .toString("latin1")
      .split("\r\n")
      .map((line) => line.split(/: (.*)/s));
    const status = fields.find(([name]) => name === "Status")?.[1];
    const others = fields
      .filter(([name]) => name !== "Status")
      .flatMap(([name = "", value = ""]) => [name, value]);
    response.writeHead(Number(status?.slice(0, 3) ?? 200), others);
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  });
}

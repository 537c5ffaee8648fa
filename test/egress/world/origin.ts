import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import type net from "node:net";
import { serveRepositories } from "./repositories.ts";

/**
 * An origin that says what came, as it came, and keeps a record of it that no answer can hide: one line of
 * `origin.jsonl` a request. Some paths answer in ways that a proxy has to get right.
 */
export function origins(
  folder: string,
  tls: { cert: Buffer; key: Buffer },
): { server: net.Server; port: number }[] {
  const seen = (line: object): void =>
    fs.appendFileSync(`${folder}/origin.jsonl`, `${JSON.stringify(line)}\n`);
  const met = new WeakSet<net.Socket>();
  const answer: http.RequestListener = (request, response) => {
    const { method, url = "", rawHeaders: headers } = request;
    const [path = ""] = url.split("?");
    const servername = "servername" in request.socket ? request.socket.servername : null;
    if (path.startsWith("/git/") || path.startsWith("/files/")) seen({ method, url, headers, servername });
    if (serveRepositories(folder, request, response)) return;
    const body: Buffer[] = [];
    const done = (): object => ({
      method,
      url,
      headers,
      servername,
      body: Buffer.concat(body).toString("latin1"),
    });
    request.on("data", (chunk: Buffer) => body.push(chunk));
    if (path === "/early") {
      // An answer before the request ends.
      response.end("early\n");
      seen({ method, url, headers, servername });
      return;
    }
    if (path === "/early-none") {
      // The same, without a body, and the connection stays: the rest is waited for.
      request.socket.write("HTTP/1.1 204 No Content\r\n\r\n");
      return;
    }
    const known = met.has(request.socket);
    met.add(request.socket);
    request.on("end", () => {
      const said = { ...done(), trailers: request.rawTrailers };
      seen(said);
      if (path === "/redirect") {
        response.writeHead(302, { location: decodeURIComponent(url.split("to=")[1] ?? "/") }).end();
      } else if (path.endsWith("/moved")) {
        // As one that wants a slash at the end, with what it was asked for in all that it says.
        const plain = decodeURIComponent(path);
        const link = `<${url.replaceAll("%3A", "%3a")}>; rel=canonical`;
        response.writeEarlyHints({ link });
        response.writeHead(301, `Not at ${plain}`, {
          ...{ location: `${path}/?${url.split("?")[1] ?? ""}`, link, trailer: "x-was", "x-plain": plain },
        });
        response.write("moved\n");
        response.addTrailers({ "x-was": url });
        response.end();
      } else if (path === "/stale" && known) {
        // As one that closes a kept connection just when another request comes.
        request.socket.destroy();
      } else if (path === "/hints") {
        response.writeEarlyHints({ link: "</style.css>; rel=preload" });
        response.end("hinted\n");
      } else if (path === "/big") response.end(Buffer.alloc(50 * 1024 * 1024, 0x61));
      else if (path === "/slow") response.write("first\n");
      else if (path === "/held") {
        response.once("close", () => seen({ method, url: "/held/given-up", headers }));
      } else if (path === "/chunked") {
        response.writeHead(200, { trailer: "x-sum" });
        response.write("one ");
        response.addTrailers({ "x-sum": "3", "set-cookie": "x=999" });
        response.end("two");
      } else if (path === "/raw") {
        // Whatever the client says that an origin shall answer, as bytes.
        const asked = new URLSearchParams(url.split("?")[1]);
        const bytes = Buffer.from(asked.get("bytes") ?? "", "base64url");
        const pump = (left: number): void => {
          if (left === 0 && asked.has("end")) request.socket.end();
          if (left === 0 || request.socket.destroyed) return;
          request.socket.write(bytes, () => pump(left - 1));
        };
        pump(Number(asked.get("times") ?? 1));
      } else if (path === "/head") {
        response.writeHead(200, { "x-long": "a".repeat(Number(url.split("bytes=")[1])) }).end("whole\n");
      } else if (path === "/none") response.writeHead(204).end();
      else if (path === "/cut") {
        response.writeHead(200, { "content-length": "100" });
        response.write("half");
        setTimeout(() => request.socket.destroy(), 50);
      } else response.end(`${JSON.stringify(said)}\n`);
    });
  };
  const serve = <T extends http.Server | https.Server>(server: T): T => {
    server.keepAliveTimeout = 60_000;
    server.on("checkContinue", (request: http.IncomingMessage, response: http.ServerResponse) => {
      if (request.url === "/unwanted") {
        seen({ method: request.method, url: request.url });
        response.writeHead(413).end("too much\n");
        return;
      }
      if (request.url !== "/deaf") response.writeContinue();
      answer(request, response);
    });
    return server;
  };
  return [
    { server: serve(https.createServer(tls, answer)), port: 9443 },
    { server: serve(http.createServer(answer)), port: 9080 },
  ];
}

import dgram from "node:dgram";
import fs from "node:fs";
import http from "node:http";
import type net from "node:net";

/**
 * What a host has running for itself: HTTP on every address, loopback among them, datagrams on loopback, and a socket in
 * the abstract namespace. argv: a folder with a repository, the port, the abstract name.
 */
const [, , folder = ".", port = "0", abstract = ""] = process.argv;

const answer: http.RequestListener = ({ url = "/" }, response) => {
  if (!url.startsWith("/repository/")) return void response.end("the host's own service\n");
  const stream = fs.createReadStream(`${folder}${url.replace(/\?.*$/, "")}`);
  stream.on("error", () => response.writeHead(404).end()).pipe(response);
};
const listening = (server: net.Server, at: net.ListenOptions): Promise<void> =>
  new Promise((resolve) => server.listen(at, resolve));

const datagrams = ["127.0.0.1", "::1"].map((address) => {
  const server = dgram.createSocket(address === "::1" ? "udp6" : "udp4");
  server.on("message", (message, from) => server.send(`got ${message.toString()}`, from.port, from.address));
  return new Promise<void>((resolve) => server.bind({ address, port: Number(port) }, resolve));
});
await Promise.all([
  listening(http.createServer(answer), { host: "::", port: Number(port) }),
  listening(http.createServer(answer), { path: `\0${abstract}` }),
  ...datagrams,
]);
process.stdout.write("listening\n");

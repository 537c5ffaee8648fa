import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import dgram from "node:dgram";
import * as packet from "dns-packet";
import { WebSocketServer } from "ws";
import { origins } from "./origin.ts";

/**
 * What is on the other side of the world: TLS and plain servers on public addresses, and the DNS of the egress' host.
 * Each says which address it was reached at. argv: a folder with server.crt, server.key and names.json.
 */
const folder = process.argv[2] ?? ".";
const names = JSON.parse(fs.readFileSync(`${folder}/names.json`, "utf8")) as Record<string, string[]>;
const tls = { cert: fs.readFileSync(`${folder}/server.crt`), key: fs.readFileSync(`${folder}/server.key`) };

const answer: http.RequestListener = (request, response) => {
  const name = "servername" in request.socket ? String(request.socket.servername) : "plain";
  response.setHeader("content-type", "text/plain");
  if (request.url?.startsWith("/repository/") === true) {
    // A bare repository, as a plain file server shows it (git's "dumb" protocol).
    const stream = fs.createReadStream(`${folder}${request.url.replace(/\?.*$/, "")}`);
    stream.on("error", () => response.writeHead(404).end()).pipe(response);
  } else if (request.url === "/big") response.end(Buffer.alloc(50 * 1024 * 1024, 0x61));
  else if (request.url === "/slow") response.write("first\n");
  else response.end(`${name} at ${request.socket.localAddress ?? "?"}:${request.socket.localPort ?? 0}\n`);
};
const listening: Promise<unknown>[] = [];
const listen = (server: net.Server, port: number): void => {
  listening.push(new Promise((resolve) => server.listen({ host: "::", port }, () => resolve(undefined))));
};

const web = https.createServer(tls, answer);
new WebSocketServer({ server: web }).on("connection", (socket) => {
  socket.on("message", (data: Buffer) => socket.send(`echo ${data.toString()}`));
});
listen(web, 443);
listen(https.createServer(tls, answer), 8443);
listen(http.createServer(answer), 80);
for (const { server, port } of origins(folder, tls)) listen(server, port);
// The server speaks first, then says what it got by the time the client finished.
listen(
  net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.write("hello\n");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => socket.end(`got ${Buffer.concat(chunks).toString()}`));
    socket.on("error", () => undefined);
  }),
  7000,
);
// Accepts and resets at once; and one that never answers.
listen(
  net.createServer((socket) => void socket.resetAndDestroy()),
  7001,
);

/** Each address has a socket of its own, so that an answer comes from where the question went. */
function datagrams(
  address: string,
  port: number,
  answerTo: (message: Buffer) => Uint8Array | undefined,
): void {
  const server = dgram.createSocket(address.includes(":") ? "udp6" : "udp4");
  server.on("message", (message, from) => {
    const said = answerTo(message);
    if (said !== undefined) server.send(said, from.port, from.address);
  });
  listening.push(new Promise((resolve) => server.bind({ address, port }, () => resolve(undefined))));
}

function lookUp(message: Buffer): Uint8Array | undefined {
  const query = packet.decode(message);
  const question = query.questions?.[0];
  if (question === undefined) return undefined;
  const addresses = names[question.name.toLowerCase()];
  const answers = (addresses ?? [])
    .filter((address) => address.includes(":") === (question.type === "AAAA"))
    .map((data) => ({ name: question.name, type: question.type as "A" | "AAAA", ttl: 1, data }));
  const code = addresses === undefined ? 3 : 0;
  const flags = packet.RECURSION_AVAILABLE | packet.RECURSION_DESIRED | code;
  return packet.encode({ type: "response", id: query.id ?? 0, flags, questions: [question], answers });
}

for (const address of ["93.184.216.53", "25.255.0.1"]) datagrams(address, 53, lookUp);
for (const address of ["93.184.216.35", "2606:2800:220:1::35"])
  datagrams(address, 7000, (message) => Buffer.from(`got ${message.toString()}`));
await Promise.all(listening);
process.stdout.write("listening\n");

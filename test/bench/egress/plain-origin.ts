import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { createServer as plain, type Socket } from "node:net";
import { createServer as secure } from "node:tls";
import { availableParallelism } from "node:os";
import { body } from "./origin.ts";
import { ports } from "./rules.ts";

/** Answers every request alike and reads no more of it than its end: where there is no nginx. argv: a folder with a certificate. */
if (cluster.isPrimary) for (let count = 0; count < availableParallelism(); count++) cluster.fork();
else {
  const answer = Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const serve = (socket: Socket): void => {
    let rest = "";
    socket.setNoDelay(true).on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const heads = (rest + chunk.toString("latin1")).split("\r\n\r\n");
      rest = heads.pop() ?? "";
      for (const _ of heads) socket.write(answer);
    });
  };
  const folder = process.argv[2] ?? ".";
  const tls = { cert: readFileSync(`${folder}/server.crt`), key: readFileSync(`${folder}/server.key`) };
  plain(serve).listen(ports.http);
  secure(tls, serve).listen(ports.https);
}

import { connect, type Socket } from "node:net";
import { connect as secure } from "node:tls";

/**
 * What wrk does, where there is none: one request after the other on each connection, the next once the answer is there.
 * argv: URL TARGET HOST CONNECTIONS SECONDS CLOSES (true: the other side ends the connection after every answer). Prints
 * `result REQUESTS MICROSECONDS FAILED CUT`; cut is what was ended before its answer.
 */
const [url = "", target = "", host = "", connections = "1", seconds = "1", closes = "false"] =
  process.argv.slice(2);
const { protocol, hostname, port } = new URL(url);
let [requests, failed, cut] = [0, 0, 0];
const began = performance.now();
const isOver = (): boolean => performance.now() - began > Number(seconds) * 1000;

function start(): void {
  const to = { host: hostname, port: Number(port) };
  const socket: Socket =
    protocol === "https:" ? secure({ ...to, servername: hostname, rejectUnauthorized: false }) : connect(to);
  let answer = "";
  let waits = false;
  const ask = (): void => {
    const path = target + String(Math.floor(Math.random() * 2 ** 31));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    waits = true;
  };
  socket.setNoDelay(true).once(protocol === "https:" ? "secureConnect" : "connect", ask);
  socket.on("error", () => (failed += 1));
  socket.on("close", () => {
    if (isOver()) return;
    if (waits) cut += 1;
    start();
  });
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
    const at = answer.indexOf("\r\n\r\n");
    if (at < 0) return;
    const head = answer.slice(0, at);
    if (answer.length < at + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)) return;
    requests += 1;
    if (!/^HTTP\/1\.[01] 200/.test(answer)) failed += 1;
    answer = "";
    waits = false;
    if (isOver()) socket.destroy();
    else if (closes === "false") ask();
  });
}

for (let count = 0; count < Number(connections); count++) start();
setTimeout(
  () => {
    console.log(`result ${requests} ${Math.round((performance.now() - began) * 1000)} ${failed} ${cut}`);
    process.exit();
  },
  Number(seconds) * 1000 + 100,
);

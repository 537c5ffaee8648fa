import net from "node:net";
import readline from "node:readline";
import tls from "node:tls";

/**
 * An agent that notices everything: tunnels that must live on, tunnels that come and go, and clients that make one
 * request after the other, each on the one connection that it has. argv: JSON (`Work`). A line in, a line out:
 *
 *     start         opens all: `started`
 *     watch         `watching`; then, once every marked tunnel is closed: `closed NANOSECONDS` (monotonic clock)
 *     reopen        opens the marked tunnels that are closed: `open COUNT`
 *     pause         makes no more requests: `paused COUNT`, once all are answered; how many there have been
 *     resume        goes on: `resumed`
 *     finish        ends the tunnels that live on, and sees that the server had every byte: `finished COUNT`
 *
 * and `lost WHAT` at any time, for what was allowed and did not hold.
 */
export interface Work {
  readonly kept: { readonly host: string; readonly count: number };
  readonly marked: { readonly host: string; readonly count: number };
  readonly clients: readonly { readonly host: string; readonly port: number; readonly secure: boolean }[];
  /** PEM: what the clients trust. */
  readonly authorities: string;
}
const work = JSON.parse(process.argv[2] ?? "") as Work;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const lost = (what: string): void => say(`lost ${what}`);

const kept: { readonly socket: net.Socket; sent: string; got: string }[] = [];
const marked = new Set<net.Socket>();
let watched = (): void => undefined;

/** A tunnel to a server that says "hello", then keeps what it gets for the end. */
async function tunnel(host: string): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const socket = net.connect({ host, port: 7000, allowHalfOpen: true });
  socket.on("error", reject).once("data", () => resolve(undefined));
  socket.once("close", () => reject(new Error("closed without a byte")));
  await promise;
  return socket;
}

async function keep(): Promise<void> {
  const socket = await tunnel(work.kept.host);
  const one = { socket, sent: "", got: "" };
  kept.push(one);
  socket.on("data", (chunk: Buffer) => (one.got += chunk.toString()));
  socket.once("close", () => {
    if (one.got !== `got ${one.sent}`) lost(`a tunnel, which had ${one.got.length} bytes of an answer`);
  });
}

async function mark(): Promise<void> {
  const socket = await tunnel(work.marked.host);
  marked.add(socket);
  socket
    .on("error", () => undefined)
    .once("close", () => {
      marked.delete(socket);
      if (marked.size === 0) watched();
    });
}

let isPaused = false;
let requests = 0;
const waiting: (() => void)[] = [];
const answered: (() => void)[] = [];
let [underWay, client] = [0, 0];

/** One connection for ever: what ends it, or is no good answer, is a loss. */
async function request({ host, port, secure }: Work["clients"][number]): Promise<void> {
  const number = (client += 1);
  const socket = secure
    ? tls.connect({ host, port, servername: host, ca: work.authorities })
    : net.connect({ host, port });
  socket.setNoDelay(true).on("error", (error) => lost(`client ${number}: ${error.message}`));
  socket.on("close", () => lost(`client ${number}: its connection, after ${requests} requests of all`));
  let answer = "";
  let done = (): void => undefined;
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
    const head = answer.indexOf("\r\n\r\n");
    const length = Number(/^content-length: *(\d+)/im.exec(answer.slice(0, head))?.[1] ?? 0);
    if (head >= 0 && answer.length >= head + 4 + length) done();
  });
  for (;;) {
    if (isPaused) await new Promise<void>((go) => waiting.push(go));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    done = () => resolve(undefined);
    answer = "";
    underWay += 1;
    const path = `/ok/${Math.random().toString(36).slice(2)}`;
    const body = Math.random() < 0.1 ? "x".repeat(2000) : "";
    const framing = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
    const line = `${body === "" ? "GET" : "POST"} ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n`;
    socket.write(`${line}${framing}\r\n${body}`);
    await promise;
    underWay -= 1;
    requests += 1;
    if (!answer.startsWith("HTTP/1.1 200 ")) lost(`client ${number}: ${answer.slice(0, 300)}`);
    for (const tell of answered.splice(0)) tell();
    await new Promise((go) => setTimeout(go, 5 + Math.random() * 20));
  }
}

let isFinishing = false;
async function finish(): Promise<void> {
  isFinishing = true;
  await Promise.all(kept.map(({ socket }) => new Promise((gone) => void socket.once("close", gone).end())));
  say(`finished ${kept.filter(({ sent, got }) => got === `got ${sent}`).length}`);
  process.exit();
}

async function obey(line: string): Promise<void> {
  if (line === "start") {
    for (let count = 0; count < work.kept.count; count++) await keep();
    for (let count = 0; count < work.marked.count; count++) await mark();
    for (const each of work.clients) void request(each);
    setInterval(() => {
      if (isFinishing) return;
      for (const one of kept) {
        one.sent += ".";
        one.socket.write(".");
      }
    }, 500);
    say("started");
  } else if (line === "watch") {
    say("watching");
    const all = new Promise<void>((tell) => (watched = tell));
    if (marked.size > 0) await all;
    say(`closed ${process.hrtime.bigint()}`);
  } else if (line === "reopen") {
    while (marked.size < work.marked.count) await mark();
    say(`open ${marked.size}`);
  } else if (line === "pause") {
    isPaused = true;
    while (underWay > 0) await new Promise<void>((tell) => answered.push(tell));
    say(`paused ${requests}`);
  } else if (line === "resume") {
    isPaused = false;
    for (const go of waiting.splice(0)) go();
    say("resumed");
  } else await finish();
}

for await (const line of readline.createInterface({ input: process.stdin })) void obey(line);

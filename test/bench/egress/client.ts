import { lookup } from "node:dns/promises";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/**
 * Measures from the agent's place, or beside the egress: a line in, a line out.
 *
 *     up HOST PORT                   whether something takes connections there: `yes` or `no`
 *     address NAME                   what the name resolves to
 *     once HOST PORT                 from connect to a server's first byte: `MILLISECONDS`
 *     through PROXY HOST PORT        the same by CONNECT through a proxy on a port of 127.0.0.1
 *     hold HOST PORT COUNT           opens so many and keeps them: how many are open
 *     held                           how many of those are open still
 *     closed COUNT                   answers "watching"; then, once no more than COUNT are open: `NANOSECONDS`
 *     until HOST PORT byte|refused   answers "watching"; then, once a connection ends so: `NANOSECONDS`, by the
 *                                    monotonic clock, which all processes of a machine share
 */
const open = new Set<Socket>();
let watching: { readonly count: number; readonly tell: () => void } | undefined;

function first(host: string, port: number, proxied?: string): Promise<"byte" | "refused"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true });
    const end = (what: "byte" | "refused"): void => {
      socket.destroy();
      resolve(what);
    };
    let head = proxied === undefined ? undefined : "";
    socket.on("error", () => end("refused")).on("close", () => end("refused"));
    if (proxied !== undefined)
      socket.once("connect", () => socket.write(`CONNECT ${proxied} HTTP/1.1\r\nHost: ${proxied}\r\n\r\n`));
    socket.on("data", (chunk: Buffer) => {
      if (head === undefined) {
        end("byte");
        return;
      }
      head += chunk.toString("latin1");
      const at = head.indexOf("\r\n\r\n");
      if (at < 0) return;
      if (!/^HTTP\/1\.[01] 200/.test(head)) end("refused");
      else if (head.length > at + 4) end("byte");
      else head = undefined;
    });
  });
}

async function time(host: string, port: string, proxied?: string): Promise<string> {
  const began = performance.now();
  const what = await first(host, Number(port), proxied);
  const took = performance.now() - began;
  return what === "byte" ? String(took) : "refused";
}

function keep(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.once("data", () => {
      open.add(socket);
      resolve();
    });
    socket.on("error", reject).on("close", () => {
      open.delete(socket);
      if (watching !== undefined && open.size <= watching.count) watching.tell();
    });
  });
}

const now = (): string => String(process.hrtime.bigint());

for await (const line of createInterface({ input: process.stdin })) {
  const [how, host = "", port = "", more = ""] = line.split(" ");
  if (how === "up") {
    const socket = connect({ host, port: Number(port) });
    const up = await new Promise<string>((resolve) => {
      socket.once("connect", () => resolve("yes")).once("error", () => resolve("no"));
    });
    socket.destroy();
    console.log(up);
  } else if (how === "address") {
    console.log((await lookup(host, { family: 4 })).address);
  } else if (how === "once") {
    console.log(await time(host, port));
  } else if (how === "through") {
    console.log(await time("127.0.0.1", host, `${port}:${more}`));
  } else if (how === "hold") {
    for (let count = 0; count < Number(more); count++) await keep(host, Number(port));
    console.log(open.size);
  } else if (how === "held") {
    console.log(open.size);
  } else if (how === "closed") {
    console.log("watching");
    const count = Number(host);
    if (open.size > count) await new Promise<void>((tell) => (watching = { count, tell }));
    watching = undefined;
    console.log(now());
  } else if (how === "until") {
    console.log("watching");
    while ((await first(host, Number(port))) !== more) await new Promise((go) => setTimeout(go, 1));
    console.log(now());
  }
}
process.exit(); // What it holds open goes with it.

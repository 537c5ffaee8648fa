import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";

/**
 * Sends bytes as they are, and says what came back. argv: a file with `{ host, port, secure, cases: [{ send: [latin1, …] }] }`; prints
 * one JSON array of what each connection answered (latin1) until it was closed, or silent for `quiet` milliseconds after
 * its first byte; a few connections at a time.
 */
interface Job {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly quiet?: number;
  readonly cases: readonly { readonly send: readonly string[] }[];
}
const job = JSON.parse(fs.readFileSync(process.argv[2] ?? "", "utf8")) as Job;

async function one(send: readonly string[]): Promise<{ answer: string; closed: boolean }> {
  const { host, port, secure, quiet = 400 } = job;
  const socket = secure ? tls.connect({ host, port, servername: host }) : net.connect({ host, port });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let answer = "";
  let silence: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => resolve(false), answer === "" ? 10_000 : quiet);
  };
  socket.on("error", (error) => (answer += `[${(error as NodeJS.ErrnoException).code ?? error.message}]`));
  socket.on("close", () => resolve(true));
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
    wait();
  });
  socket.once(secure ? "secureConnect" : "connect", () => {
    void (async () => {
      for (const piece of send) {
        socket.write(Buffer.from(piece, "latin1"));
        await new Promise((go) => setTimeout(go, 30));
      }
    })();
  });
  wait();
  const closed = await promise;
  clearTimeout(silence);
  socket.destroy();
  return { answer, closed };
}

const answers: { answer: string; closed: boolean }[] = [];
const waiting = job.cases.map(({ send }, index) => ({ send, index }));
const worker = async (): Promise<void> => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    answers[next.index] = await one(next.send);
  }
};
await Promise.all(Array.from({ length: 12 }, worker));
process.stdout.write(`${JSON.stringify(answers)}\n`);

import { connect as open } from "node:net";
import { createInterface } from "node:readline";

/**
 * Runs inside a sandbox, or beside the egress for comparison: connects when a line of stdin says so, and answers with a
 * line of stdout. It is handed over as text (`node -e`), so it imports nothing of ours.
 *
 *     once HOST PORT         one connection: `MILLISECONDS byte|refused`
 *     until HOST PORT WHAT   one after another until one ends as WHAT: `NANOSECONDS COUNT`, by the monotonic clock that
 *                            all processes of a machine share, at its end
 *     hold HOST PORT COUNT   opens so many and keeps them: `COUNT` when each has had a byte
 *     held                   how many of those are still open: `COUNT`
 */
const attempt = (host: string, port: number): Promise<"byte" | "refused"> =>
  new Promise((resolve) => {
    const socket = open({ host, port });
    const end = (what: "byte" | "refused") => (): void => {
      socket.destroy();
      resolve(what);
    };
    socket.once("data", end("byte")).once("error", end("refused")).once("end", end("refused"));
  });

let holding = 0;
const hold = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = open({ host, port });
    socket.once("data", () => {
      holding += 1;
      socket.once("close", () => (holding -= 1));
      resolve();
    });
    socket.once("error", reject);
  });

for await (const line of createInterface({ input: process.stdin })) {
  const [how, host = "", port, wanted] = line.split(" ");
  if (how === "once") {
    const began = performance.now();
    const what = await attempt(host, Number(port));
    console.log(`${performance.now() - began} ${what}`);
  } else if (how === "hold") {
    for (let count = 0; count < Number(wanted); count++) await hold(host, Number(port));
    console.log(holding);
  } else if (how === "held") {
    console.log(holding);
  } else {
    console.log("watching");
    let count = 1;
    while ((await attempt(host, Number(port))) !== wanted) {
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    console.log(`${process.hrtime.bigint()} ${count}`);
  }
}
process.exit(); // What it holds open goes with it.

/** Programs that run inside, as argv. */

export const shell = (script: string): string[] => ["/bin/bash", "-c", script];

/** Prints the first line that a TCP server says, or why there was none. */
export const firstLineOf = (host: string, port: number): string[] => [
  "/opt/nacre/node/bin/node",
  "-e",
  `const s = require("net").connect({ host: ${JSON.stringify(host)}, port: ${port} });
   s.setTimeout(5000, () => s.destroy(new Error("timeout")));
   s.on("data", (d) => { process.stdout.write(String(d).split("\\n")[0]); process.exit(0); });
   s.on("error", (e) => { process.stdout.write("error " + (e.code ?? e.message)); process.exit(1); });
   s.on("close", () => { process.stdout.write("closed"); process.exit(1); });`,
];

/** An agent that counts its starts in its workspace, serves HTTP on a port inside, and stays. */
export const countingServer = (port: number): string[] => [
  "/opt/nacre/node/bin/node",
  "-e",
  `const fs = require("fs");
   fs.appendFileSync("starts", process.pid + "\\n");
   require("http").createServer((q, r) => r.end("agent here")).listen(${port}, "127.0.0.1");`,
];

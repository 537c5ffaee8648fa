import { createInterface } from "node:readline";

/**
 * Runs inside, beside the agent's server: for each line of stdin asks it what Nacre's `ask` asks, and answers with the
 * milliseconds of the whole turn. Text for `node -e`, so it imports nothing of ours. The first line is the token.
 */
let token: string | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  if (token === undefined) {
    token = line;
    console.log("ready");
    continue;
  }
  const began = performance.now();
  const response = await fetch("http://127.0.0.1:18789/v1/chat/completions", {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-openclaw-session-key": "own",
    },
    body: JSON.stringify({
      model: "openclaw/default",
      stream: true,
      messages: [{ role: "user", content: line }],
    }),
  });
  const said = await response.text();
  const whole = response.ok && said.trimEnd().endsWith("[DONE]") && !said.includes('"error"');
  console.log(`${performance.now() - began} ${whole ? "answered" : said.replaceAll("\n", " ")}`);
}

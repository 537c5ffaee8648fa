import { Agent, createServer, request as ask } from "node:http";
import { connect } from "node:net";

/**
 * What a forward proxy is in plain Node: no rules, no log, nothing checked. The floor that ours stands on. argv: a port.
 */
const agent = new Agent({ keepAlive: true });

const server = createServer((request, response) => {
  const { host, pathname, search } = new URL(request.url ?? "");
  const { "proxy-connection": _, ...headers } = request.headers;
  const [hostname = "", port = "80"] = host.split(":");
  const upstream = ask({
    agent,
    hostname,
    port,
    method: request.method ?? "GET",
    path: pathname + search,
    headers: { ...headers, host },
  });
  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  upstream.on("error", () => response.destroy());
  request.pipe(upstream);
});

server.on("connect", (request, agentSide, head) => {
  const [hostname = "", port = "443"] = (request.url ?? "").split(":");
  const upstream = connect({ host: hostname, port: Number(port), noDelay: true }, () => {
    agentSide.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    upstream.write(head);
    upstream.pipe(agentSide).pipe(upstream);
  });
  upstream.on("error", () => agentSide.destroy());
  agentSide.on("error", () => upstream.destroy());
});

server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), "127.0.0.1");

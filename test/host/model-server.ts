import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { onTestFinished } from "vitest";
import { issue, makeAuthority } from "../../lib/egress/authority.ts";

/** An inference provider on this host, under an authority of its own; it keeps what it was sent as authorization. */
export async function modelServer(folder: string) {
  const authority = makeAuthority("test");
  const { certificate, key } = issue(authority, "localhost");
  const seen: (string | undefined)[] = [];
  const server = createServer({ cert: certificate, key }, (request, response) => {
    seen.push(request.headers.authorization);
    request.resume().once("end", () => {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          id: "1",
          object: "chat.completion",
          created: 1,
          model: "m",
          choices: [
            { index: 0, message: { role: "assistant", content: "an answer" }, finish_reason: "stop" },
          ],
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  const { port } = server.address() as AddressInfo;
  const bundle = join(folder, "authorities.pem");
  writeFileSync(bundle, [...rootCertificates, authority.certificate].join("\n"), { mode: 0o644 });
  return {
    endpoint: `https://localhost:${port}/v1`,
    destination: `localhost:${port}`,
    bundle,
    authorizations: seen,
    grants: ["127.0.0.1/32", "::1/128"]
      .map((cidr) => `  - { host: localhost, cidr: "${cidr}", port: ${port} }\n`)
      .join(""),
  };
}

import { createServer, type AddressInfo, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { onTestFinished } from "vitest";
import type { NetworkPolicies } from "../../lib/policy/language.ts";

/** An address of this host that is not loopback: a sandbox reaches it only through its egress, and only by a grant. */
export const address = (() => {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const found = all.find(({ family, internal }) => family === "IPv4" && !internal);
  if (found === undefined) throw new Error("this machine has no IPv4 address but loopback");
  return found.address;
})();

/** A server outside that greets, and counts who came. */
export async function outsideServer(greeting = "hello from outside") {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => open.delete(socket));
    socket.write(`${greeting}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    connections: () => connections,
    open: () => open.size,
    /** What a policy needs to allow it, and the operator's file to grant it. */
    rule: { outside: { endpoints: [{ host: address, port, protocol: "tcp" }] } } satisfies NetworkPolicies,
    grants: `grants:\n  - { host: ${address}, cidr: ${address}/32, port: ${port} }\n`,
  };
}

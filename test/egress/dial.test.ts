import { once } from "node:events";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { dial } from "../../lib/egress/dial.ts";
import { parseAddress } from "../../lib/policy/address.ts";
import type { CheckedAddress } from "../../lib/policy/guard.ts";

test("what was checked is what is dialled: the name is not looked up a second time", async () => {
  const server = net.createServer((socket) => socket.end("here"));
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.2");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  // This name means another address by the hosts file, as a rebound one would at its second look-up.
  const addresses = [parseAddress("127.0.0.2") as CheckedAddress];
  const socket = await dial("localhost", port, addresses, new AbortController().signal);
  onTestFinished(() => void socket.destroy());
  expect(socket.remoteAddress).toBe("127.0.0.2");
  expect(String(await once(socket, "data"))).toBe("here");
});

import { Server, ServerCredentials } from "@grpc/grpc-js";
import { messageLimits, providerService } from "../../../lib/provider/protocol.ts";
import { service } from "./service.ts";

// A plugin's contract: the port is the first line of stdout, and it ends when its stdin does.
process.stdin.resume().on("end", () => process.exit(0));
process.on("SIGINT", () => process.exit(0));
const server = new Server(messageLimits);
server.addService(providerService.ResourceProviderService, service());
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});

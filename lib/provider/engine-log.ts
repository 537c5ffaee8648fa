import { credentials, type ServiceError } from "@grpc/grpc-js";
import { engine, engineService, type EngineProto } from "./protocol.ts";
import type { Call } from "./kind.ts";

/** Says things beside a resource in the engine's output; without an engine that listens, on stderr. */
export interface EngineLog {
  readonly say: (urn: string, ...message: Parameters<Call["log"]>) => void;
  /** Settles when all that was said has arrived: what is said last must not be lost when the call returns. */
  readonly settled: () => Promise<void>;
}

export function engineLog(address: string | undefined): EngineLog {
  const client =
    address === undefined ? undefined : new engineService.EngineClient(address, credentials.createInsecure());
  const pending = new Set<Promise<void>>();
  const { INFO, WARNING } = engine.LogSeverity;
  return {
    say(urn, severity, message) {
      if (client === undefined) {
        process.stderr.write(`${severity}: ${urn}: ${message}\n`);
        return;
      }
      const request = new engine.LogRequest();
      request.setUrn(urn);
      request.setMessage(message);
      request.setSeverity(severity === "warning" ? WARNING : INFO);
      request.setEphemeral(severity === "progress");
      const sent = send(client, request).finally(() => pending.delete(sent));
      pending.add(sent);
    },
    settled: () => Promise.all(pending).then(() => undefined),
  };
}

/** An engine that is going away takes no more messages: then nobody is left to read them. */
const send = (client: InstanceType<typeof engineService.EngineClient>, request: EngineProto.LogRequest) =>
  new Promise<void>((done) => {
    const deadline = Date.now() + 5_000;
    client.log(request, { deadline } as never, (_error: ServiceError | null) => done());
  });

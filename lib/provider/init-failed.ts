import { Metadata, status as grpcStatus, type StatusObject } from "@grpc/grpc-js";
import { NacreError } from "../error.ts";
import type { Observed } from "./kind.ts";
import { Any, provider, status } from "./protocol.ts";
import { toStruct } from "./wire.ts";

/** It exists but is not what it should be: the engine keeps its identity, with the reasons, and tries again next time. */
export class InitFailed extends Error {
  readonly observed: Observed;

  constructor(observed: Observed) {
    super(observed.problems.join("; "));
    this.name = "InitFailed";
    this.observed = observed;
  }
}

/** A request that the protocol itself answers with a status code. */
export class Refusal extends Error {
  readonly code: grpcStatus;

  constructor(code: grpcStatus, message: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
  }
}

/** As gRPC carries it: `ErrorResourceInitFailed` rides in the status details; an error of ours is one readable line. */
export function toGrpc(error: unknown): Partial<StatusObject> {
  if (error instanceof InitFailed) {
    const detail = new provider.ErrorResourceInitFailed();
    detail.setId(error.observed.id);
    detail.setInputs(toStruct(error.observed.inputs));
    detail.setProperties(toStruct(error.observed.outputs));
    detail.setReasonsList([...error.observed.problems]);
    detail.setRefreshBeforeUpdate(true);
    const any = new Any();
    any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const carrier = new status.Status();
    carrier.setCode(grpcStatus.UNKNOWN);
    carrier.setMessage(error.message);
    carrier.addDetails(any);
    const metadata = new Metadata();
    metadata.add("grpc-status-details-bin", Buffer.from(carrier.serializeBinary()));
    return { code: grpcStatus.UNKNOWN, details: error.message, metadata };
  }
  if (error instanceof NacreError) return { code: grpcStatus.UNKNOWN, details: error.toString() };
  if (error instanceof Refusal) return { code: error.code, details: error.message };
  return { code: grpcStatus.UNKNOWN, details: error instanceof Error ? error.message : String(error) };
}

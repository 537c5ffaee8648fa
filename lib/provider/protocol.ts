import { createRequire } from "node:module";
import type * as AnyProto from "google-protobuf/google/protobuf/any_pb.js";
import type * as EmptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import type * as StructProto from "google-protobuf/google/protobuf/struct_pb.js";
import type * as EngineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type * as EngineProto from "@pulumi/pulumi/proto/engine_pb.js";
import type * as PluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import type * as ProviderService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as ProviderProto from "@pulumi/pulumi/proto/provider_pb.js";
import type * as StatusProto from "@pulumi/pulumi/proto/status_pb.js";

/**
 * The SDK's gRPC stubs: CommonJS whose names Node cannot see before it runs them, so they are required.
 * The well-known types come from the SDK's own copy of google-protobuf: a message of another copy does not serialise.
 */
const here = createRequire(import.meta.url);
const sdk = createRequire(here.resolve("@pulumi/pulumi/package.json"));

export const provider = here("@pulumi/pulumi/proto/provider_pb.js") as typeof ProviderProto;
export const providerService = here("@pulumi/pulumi/proto/provider_grpc_pb.js") as typeof ProviderService;
export const engine = here("@pulumi/pulumi/proto/engine_pb.js") as typeof EngineProto;
export const engineService = here("@pulumi/pulumi/proto/engine_grpc_pb.js") as typeof EngineService;
export const plugin = here("@pulumi/pulumi/proto/plugin_pb.js") as typeof PluginProto;
export const status = here("@pulumi/pulumi/proto/status_pb.js") as typeof StatusProto;
export const { Any } = sdk("google-protobuf/google/protobuf/any_pb.js") as typeof AnyProto;
export const { Empty } = sdk("google-protobuf/google/protobuf/empty_pb.js") as typeof EmptyProto;
export const { Struct } = sdk("google-protobuf/google/protobuf/struct_pb.js") as typeof StructProto;

export type {
  AnyProto,
  EmptyProto,
  EngineProto,
  EngineService,
  PluginProto,
  ProviderProto,
  ProviderService,
  StatusProto,
  StructProto,
};

/** What the engine itself allows a message to weigh. */
export const messageLimits = {
  "grpc.max_receive_message_length": 400 << 20,
  "grpc.max_send_message_length": 400 << 20,
};

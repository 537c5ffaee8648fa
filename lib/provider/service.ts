import {
  status as grpcStatus,
  type handleUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { version } from "../version.ts";
import { checkInputs } from "./check.ts";
import { differences } from "./difference.ts";
import type { EngineLog } from "./engine-log.ts";
import { InitFailed, Refusal, toGrpc } from "./init-failed.ts";
import type { Call, Observed, ResourceKind } from "./kind.ts";
import { Empty, plugin, provider as pb, type ProviderProto } from "./protocol.ts";
import { fromStruct, toStruct, unknown, type Properties } from "./wire.ts";

export type Kinds = Readonly<Record<string, ResourceKind<any>>>;

/** Pulumi's provider protocol (sdk/proto/pulumi/provider.proto) over resource kinds. */
export function service(kinds: () => Promise<Kinds>, log: () => EngineLog): UntypedServiceImplementation {
  const cancelled = new AbortController();

  const kindOf = async (request: { getType(): string }): Promise<ResourceKind<any>> =>
    (await kinds())[request.getType()] ??
    refuse(grpcStatus.NOT_FOUND, `no resource is called ${request.getType()}`);

  const callOf = (request: { getUrn(): string; getName(): string }): Call => ({
    urn: request.getUrn(),
    name: request.getName(),
    signal: cancelled.signal,
    log: (severity, message) => log().say(request.getUrn(), severity, message),
  });

  const unary =
    (answer: (request: any) => unknown): handleUnaryCall<any, any> =>
    (call, done) => {
      Promise.resolve(call.request)
        .then(answer)
        .finally(() => log().settled())
        .then(
          (response: unknown) => done(null, response),
          (error: unknown) => done(toGrpc(error)),
        );
    };
  const unimplemented = unary(() => refuse(grpcStatus.UNIMPLEMENTED, "not implemented"));

  return {
    handshake: unary(() => {
      const response = new pb.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      response.setAcceptResources(true);
      return response;
    }),
    configure: unary(() => {
      const response = new pb.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setAcceptresources(true);
      response.setSupportspreview(true);
      return response;
    }),
    getPluginInfo: unary(() => {
      const info = new plugin.PluginInfo();
      info.setVersion(version);
      return info;
    }),
    getSchema: unary(() => {
      const response = new pb.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: "nacre", version }));
      return response;
    }),
    checkConfig: unary((request: ProviderProto.CheckRequest) => {
      const response = new pb.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diffConfig: unary(() => {
      const response = new pb.DiffResponse();
      response.setChanges(pb.DiffResponse.DiffChanges.DIFF_NONE);
      return response;
    }),
    attach: unary(() => new Empty()),
    cancel: unary(() => {
      cancelled.abort(new Error("cancelled"));
      return new Empty();
    }),

    check: unary(async (request: ProviderProto.CheckRequest) => {
      const { inputs, failures } = checkInputs((await kindOf(request)).inputs, fromStruct(request.getNews()));
      const response = new pb.CheckResponse();
      response.setInputs(toStruct(inputs));
      for (const { property, reason } of failures) {
        const failure = new pb.CheckFailure();
        failure.setProperty(property);
        failure.setReason(reason);
        response.addFailures(failure);
      }
      return response;
    }),

    diff: unary(async (request: ProviderProto.DiffRequest) => {
      const ignored = new Set(request.getIgnorechangesList());
      const changes = differences(fromStruct(request.getOldInputs()), fromStruct(request.getNews())).filter(
        ({ path, root }) => !ignored.has(path) && !ignored.has(root),
      );
      const response = new pb.DiffResponse();
      const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
      response.setChanges(changes.length === 0 ? DIFF_NONE : DIFF_SOME);
      response.setHasdetaileddiff(true);
      if (changes.length === 0) return response;
      const { replaces, note } = (await kindOf(request)).effect(changes);
      for (const { path, root, kind } of changes) {
        const detail = new pb.PropertyDiff();
        const mark = `${kind.toUpperCase()}${replaces.includes(root) ? "_REPLACE" : ""}`;
        detail.setKind(pb.PropertyDiff.Kind[mark as keyof typeof pb.PropertyDiff.Kind]);
        detail.setInputdiff(true);
        response.getDetaileddiffMap().set(path, detail);
      }
      response.setDiffsList([...new Set(changes.map(({ root }) => root))]);
      response.setReplacesList([...replaces]);
      response.setDeletebeforereplace(replaces.length > 0);
      if (note !== undefined) callOf(request).log("info", note);
      return response;
    }),

    create: unary(async (request: ProviderProto.CreateRequest) => {
      const kind = await kindOf(request);
      const inputs = fromStruct(request.getProperties());
      const response = new pb.CreateResponse();
      if (request.getPreview()) {
        await kind.foresee?.(inputs, callOf(request));
        response.setProperties(toStruct({ ...inputs, ...unsettled(kind.computed) }));
        return response;
      }
      const made = whole(await kind.create(kind.inputs.parse(inputs), callOf(request)));
      response.setId(made.id);
      response.setProperties(toStruct(made.outputs));
      response.setRefreshBeforeUpdate(true);
      return response;
    }),

    read: unary(async (request: ProviderProto.ReadRequest) => {
      const recorded = {
        id: request.getId(),
        inputs: fromStruct(request.getInputs()),
        outputs: fromStruct(request.getProperties()),
      };
      const response = new pb.ReadResponse();
      const found = await (await kindOf(request)).read(recorded, callOf(request));
      if (found === "gone") return response; // an empty id says so
      response.setRefreshBeforeUpdate(true);
      if (found === "unobserved") {
        response.setId(recorded.id);
        response.setInputs(request.getInputs());
        response.setProperties(request.getProperties());
        return response;
      }
      whole(found);
      response.setId(found.id);
      response.setInputs(toStruct(found.inputs));
      response.setProperties(toStruct(found.outputs));
      return response;
    }),

    update: unary(async (request: ProviderProto.UpdateRequest) => {
      const kind = await kindOf(request);
      const olds = { inputs: fromStruct(request.getOldInputs()), outputs: fromStruct(request.getOlds()) };
      const news = fromStruct(request.getNews());
      const response = new pb.UpdateResponse();
      if (request.getPreview()) {
        await kind.foresee?.(news, callOf(request));
        const changes = differences(olds.inputs, news);
        const later = unsettled(kind.effect(changes).unsettled);
        response.setProperties(toStruct({ ...olds.outputs, ...news, ...later }));
        return response;
      }
      const recorded = { id: request.getId(), ...olds };
      const made = whole(await kind.update(recorded, kind.inputs.parse(news), callOf(request)));
      response.setProperties(toStruct(made.outputs));
      response.setRefreshBeforeUpdate(true);
      return response;
    }),

    delete: unary(async (request: ProviderProto.DeleteRequest) => {
      const recorded = {
        id: request.getId(),
        inputs: fromStruct(request.getOldInputs()),
        outputs: fromStruct(request.getProperties()),
      };
      await (await kindOf(request)).delete(recorded, callOf(request));
      return new Empty();
    }),

    getMapping: unary(() => new pb.GetMappingResponse()),
    getMappings: unary(() => new pb.GetMappingsResponse()),
    parameterize: unimplemented,
    invoke: unimplemented,
    call: unimplemented,
    construct: unimplemented,
    list: (call: ServerWritableStream<any, any>) =>
      call.emit("error", { code: grpcStatus.UNIMPLEMENTED, details: "not implemented" }),
  };
}

const unsettled = (names: readonly string[]): Properties =>
  Object.fromEntries(names.map((name) => [name, unknown]));

function whole(observed: Observed): Observed {
  if (observed.problems.length > 0) throw new InitFailed(observed);
  return observed;
}

function refuse(code: grpcStatus, details: string): never {
  throw new Refusal(code, details);
}

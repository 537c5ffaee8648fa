import { status as grpcStatus, type handleUnaryCall, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { Refusal, toGrpc } from "../../../lib/provider/init-failed.ts";
import { Empty, plugin, provider as pb, type ProviderProto } from "../../../lib/provider/protocol.ts";
import { fromStruct, toStruct } from "../../../lib/provider/wire.ts";
import { Cluster, Unreachable } from "./cluster.ts";
import { checkProblems, configDifference, difference, type Outcome } from "./plan.ts";
import * as objects from "./objects.ts";
import { kubeConfigOf, settingsOf, type Settings } from "./settings.ts";

/**
 * Enough of Pulumi's Kubernetes provider for tests of programs that use `@pulumi/kubernetes`, over a real API server:
 * any kind, server-side apply, and the same answers to "is it another object" and "what has drifted". What it does not
 * do: wait for a Deployment, a Service or a Pod to work (no node runs any), patches, charts, `yaml` groups, names of its
 * own making, or a dry run on the server for a preview, which therefore contacts nobody.
 */
export function service(): UntypedServiceImplementation {
  const cancelled = new AbortController();
  let settings: Settings = settingsOf({});
  let reached: Cluster | undefined;

  const cluster = (): Cluster => {
    const config = reached === undefined ? kubeConfigOf(settings) : undefined;
    if (config !== undefined) reached = new Cluster(config);
    if (reached !== undefined) return reached;
    throw new Unreachable("configured Kubernetes cluster is unreachable: no kubeconfig");
  };
  const named = (
    request: { getId(): string; getType(): string },
    inputs: Parameters<typeof fromStruct>[0],
    outputs: Parameters<typeof fromStruct>[0],
  ): objects.Named => ({
    id: request.getId(),
    type: request.getType(),
    inputs: fromStruct(inputs),
    outputs: fromStruct(outputs),
  });
  const unimplemented = unary(() => {
    throw new Refusal(grpcStatus.UNIMPLEMENTED, "the stand-in for the Kubernetes provider does not do this");
  });

  return {
    handshake: unary(() => accepting(new pb.ProviderHandshakeResponse())),
    configure: unary((request: ProviderProto.ConfigureRequest) => {
      settings = settingsOf(fromStruct(request.getArgs()));
      reached = undefined;
      const response = new pb.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setAcceptresources(true);
      response.setSupportspreview(true);
      return response;
    }),
    getPluginInfo: unary(() => {
      const info = new plugin.PluginInfo();
      info.setVersion("4.34.2");
      return info;
    }),
    getSchema: unary(() => {
      const response = new pb.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: "kubernetes", version: "4.34.2" }));
      return response;
    }),
    checkConfig: unary((request: ProviderProto.CheckRequest) => {
      const response = new pb.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diffConfig: unary((request: ProviderProto.DiffRequest) =>
      diffResponse(configDifference(fromStruct(request.getOldInputs()), fromStruct(request.getNews()))),
    ),
    attach: unary(() => new Empty()),
    cancel: unary(() => {
      cancelled.abort(new Error("cancelled"));
      return new Empty();
    }),

    check: unary((request: ProviderProto.CheckRequest) => {
      const inputs = fromStruct(request.getNews());
      const response = new pb.CheckResponse();
      response.setInputs(request.getNews());
      for (const reason of checkProblems(request.getType(), inputs)) {
        const failure = new pb.CheckFailure();
        failure.setProperty("metadata");
        failure.setReason(reason);
        response.addFailures(failure);
      }
      return response;
    }),
    diff: unary((request: ProviderProto.DiffRequest) => {
      const ignored = request.getIgnorechangesList();
      const [olds, news] = [fromStruct(request.getOldInputs()), fromStruct(request.getNews())];
      return diffResponse(difference(olds, news, ignored, settings));
    }),
    create: unary(async (request: ProviderProto.CreateRequest) => {
      const inputs = fromStruct(request.getProperties());
      const response = new pb.CreateResponse();
      response.setProperties(request.getProperties());
      if (request.getPreview()) return response;
      const { id, outputs } = await objects.create(cluster(), inputs, settings);
      response.setId(id);
      response.setProperties(toStruct(outputs));
      return response;
    }),
    read: unary(async (request: ProviderProto.ReadRequest) => {
      const old = named(request, request.getInputs(), request.getProperties());
      const response = new pb.ReadResponse();
      const found = await Promise.resolve()
        .then(() => objects.read(cluster(), old))
        .catch((error: unknown) => objects.unseen(error, old, settings));
      if (found === undefined) return response; // an empty id: gone
      response.setId(found.id);
      response.setInputs(toStruct(found.inputs));
      response.setProperties(toStruct(found.outputs));
      return response;
    }),
    update: unary(async (request: ProviderProto.UpdateRequest) => {
      const old = named(request, request.getOldInputs(), request.getOlds());
      const news = fromStruct(request.getNews());
      const response = new pb.UpdateResponse();
      if (request.getPreview()) {
        response.setProperties(toStruct({ ...old.outputs, ...news }));
        return response;
      }
      const { outputs } = await objects.update(cluster(), old, news, settings);
      response.setProperties(toStruct(outputs));
      return response;
    }),
    delete: unary(async (request: ProviderProto.DeleteRequest) => {
      const old = named(request, request.getOldInputs(), request.getProperties());
      await objects.remove(cluster(), old, request.getTimeout(), cancelled.signal);
      return new Empty();
    }),

    getMapping: unary(() => new pb.GetMappingResponse()),
    getMappings: unary(() => new pb.GetMappingsResponse()),
    parameterize: unimplemented,
    invoke: unimplemented,
    call: unimplemented,
    construct: unimplemented,
    list: unimplemented,
  };
}

function unary(answer: (request: any) => unknown): handleUnaryCall<any, any> {
  return (call, done) => {
    Promise.resolve(call.request)
      .then(answer)
      .then(
        (response: unknown) => done(null, response),
        (error: unknown) => done(toGrpc(error)),
      );
  };
}

function accepting(response: InstanceType<typeof pb.ProviderHandshakeResponse>) {
  response.setAcceptSecrets(true);
  response.setAcceptResources(true);
  return response;
}

function diffResponse({ changes, replaces, deleteBeforeReplace }: Outcome) {
  const response = new pb.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
  response.setChanges(changes.length === 0 ? DIFF_NONE : DIFF_SOME);
  response.setHasdetaileddiff(true);
  response.setDiffsList([...new Set(changes.map(({ root }) => root))]);
  response.setReplacesList([...replaces]);
  response.setDeletebeforereplace(deleteBeforeReplace);
  for (const { path, kind } of changes) {
    const detail = new pb.PropertyDiff();
    const mark = `${kind.toUpperCase()}${replaces.has(path) ? "_REPLACE" : ""}`;
    detail.setKind(pb.PropertyDiff.Kind[mark as keyof typeof pb.PropertyDiff.Kind]);
    detail.setInputdiff(true);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

import { randomBytes } from "node:crypto";
import { status as grpcStatus, type handleUnaryCall, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { parseDockerHost } from "../../../lib/docker/address.ts";
import { DockerEngine } from "../../../lib/docker/engine.ts";
import { differences } from "../../../lib/provider/difference.ts";
import { Refusal, toGrpc } from "../../../lib/provider/init-failed.ts";
import { Empty, plugin, provider as pb, type ProviderProto } from "../../../lib/provider/protocol.ts";
import {
  fromStruct,
  holds,
  isUnknown,
  toStruct,
  unknown,
  type Properties,
} from "../../../lib/provider/wire.ts";
import { containerKind } from "./container.ts";
import type { DockerKind } from "./kind.ts";
import { networkKind } from "./network.ts";
import { volumeKind } from "./volume.ts";

const kinds: Readonly<Record<string, DockerKind>> = {
  "docker:index/container:Container": containerKind,
  "docker:index/network:Network": networkKind,
  "docker:index/volume:Volume": volumeKind,
};

/** Where a wrapped Terraform provider notes which inputs it made up itself: a name of its own frees it from deleting first. */
const made = "__defaults";

/**
 * Pulumi's Docker provider as far as a K3s container needs it. Secrets are the engine's: it takes them away before and
 * marks the same properties again afterwards, as for every provider that says it knows none.
 */
export function service(): UntypedServiceImplementation {
  let docker: DockerEngine | undefined;
  const engine = (): DockerEngine => docker ?? fail("it was not configured");

  return {
    handshake: unary(() => {
      const response = new pb.ProviderHandshakeResponse();
      response.setAcceptSecrets(false);
      response.setAcceptResources(false);
      return response;
    }),
    configure: unary(async (request: ProviderProto.ConfigureRequest) => {
      const args = fromStruct(request.getArgs());
      const host = args["host"] ?? process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
      if (typeof host === "string") docker = new DockerEngine(parseDockerHost(host));
      // The real one asks too, so a preview needs an engine that runs.
      if (args["disableDockerDaemonCheck"] !== "true") await docker?.describe();
      const response = new pb.ConfigureResponse();
      response.setAcceptsecrets(false);
      response.setSupportspreview(true);
      return response;
    }),
    getPluginInfo: unary(() => {
      const info = new plugin.PluginInfo();
      info.setVersion("5.2.0");
      return info;
    }),
    getSchema: unary(() => {
      const response = new pb.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: "docker", version: "5.2.0" }));
      return response;
    }),
    checkConfig: unary((request: ProviderProto.CheckRequest) => {
      const response = new pb.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diffConfig: unary(() => new pb.DiffResponse()),
    attach: unary(() => new Empty()),
    cancel: unary(() => new Empty()),
    getMapping: unary(() => new pb.GetMappingResponse()),
    getMappings: unary(() => new pb.GetMappingsResponse()),

    check: unary((request: ProviderProto.CheckRequest) => {
      const olds = fromStruct(request.getOlds());
      const news = named(fromStruct(request.getNews()), olds, request.getName());
      const response = new pb.CheckResponse();
      const { [made]: defaults, ...given } = news;
      const later = Object.keys(given).filter((key) => holds(given[key], isUnknown));
      const known = Object.fromEntries(Object.entries(given).filter(([key]) => !later.includes(key)));
      const parsed = kindOf(request).inputs.safeParse(known);
      const unknowns = Object.fromEntries(later.map((key) => [key, given[key]]));
      const checked = parsed.success ? { ...parsed.data, ...unknowns } : given;
      response.setInputs(toStruct({ ...checked, [made]: defaults }));
      for (const issue of parsed.success ? [] : parsed.error.issues) {
        if (later.includes(String(issue.path[0]))) continue;
        const failure = new pb.CheckFailure();
        failure.setProperty(issue.path.join("."));
        failure.setReason(issue.message);
        response.addFailures(failure);
      }
      return response;
    }),

    diff: unary((request: ProviderProto.DiffRequest) => {
      const kind = kindOf(request);
      const ignored = new Set(request.getIgnorechangesList());
      const news = fromStruct(request.getNews());
      const changes = differences(
        ordered(kind, fromStruct(request.getOldInputs())),
        ordered(kind, news),
      ).filter(({ path, root }) => root !== made && !ignored.has(path) && !ignored.has(root));
      const replaces = new Set(
        changes.map(({ root }) => root).filter((root) => !kind.inPlace.includes(root)),
      );
      const response = new pb.DiffResponse();
      const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
      response.setChanges(changes.length === 0 ? DIFF_NONE : DIFF_SOME);
      response.setHasdetaileddiff(true);
      for (const change of changes) {
        const detail = new pb.PropertyDiff();
        const mark = `${change.kind.toUpperCase()}${replaces.has(change.root) ? "_REPLACE" : ""}`;
        detail.setKind(pb.PropertyDiff.Kind[mark as keyof typeof pb.PropertyDiff.Kind]);
        detail.setInputdiff(true);
        response.getDetaileddiffMap().set(change.path, detail);
      }
      response.setDiffsList([...new Set(changes.map(({ root }) => root))]);
      response.setReplacesList([...replaces]);
      response.setDeletebeforereplace(replaces.size > 0 && !isNamed(news));
      return response;
    }),

    create: unary(async (request: ProviderProto.CreateRequest) => {
      const kind = kindOf(request);
      const inputs = fromStruct(request.getProperties());
      const response = new pb.CreateResponse();
      if (request.getPreview()) {
        const computed = Object.fromEntries(kind.computed.map((name) => [name, unknown]));
        response.setProperties(toStruct({ ...inputs, ...computed }));
        return response;
      }
      const { id, outputs } = await kind.create(engine(), parsed(kind, inputs));
      response.setId(id);
      response.setProperties(toStruct({ ...inputs, ...known(outputs) }));
      return response;
    }),

    read: unary(async (request: ProviderProto.ReadRequest) => {
      const kind = kindOf(request);
      const inputs = fromStruct(request.getInputs());
      const response = new pb.ReadResponse();
      const read = await kind.read(engine(), request.getId(), inputs);
      if (read === undefined) return response;
      response.setId(read.id);
      response.setInputs(request.getInputs());
      response.setProperties(toStruct({ ...inputs, ...known(read.outputs) }));
      return response;
    }),

    update: unary(async (request: ProviderProto.UpdateRequest) => {
      const kind = kindOf(request);
      const inputs = fromStruct(request.getNews());
      const response = new pb.UpdateResponse();
      const before = fromStruct(request.getOlds());
      if (request.getPreview()) response.setProperties(toStruct({ ...before, ...inputs }));
      else {
        const { outputs } = await kind.update(engine(), request.getId(), parsed(kind, inputs));
        response.setProperties(toStruct({ ...inputs, ...known(outputs) }));
      }
      return response;
    }),

    delete: unary(async (request: ProviderProto.DeleteRequest) => {
      const inputs = fromStruct(request.getOldInputs());
      await kindOf(request).delete(engine(), request.getId(), inputs);
      return new Empty();
    }),
  };
}

function unary(answer: (request: any) => unknown): handleUnaryCall<any, any> {
  return (call, done) => {
    Promise.resolve(call.request)
      .then(answer)
      .then(
        (response) => done(null, response),
        (error: unknown) => done(toGrpc(error)),
      );
  };
}

const kindOf = (request: { getType(): string }): DockerKind =>
  kinds[request.getType()] ?? fail(`the stand-in knows no ${request.getType()}`);

const parsed = (kind: DockerKind, { [made]: _, ...inputs }: Properties): Properties =>
  kind.inputs.parse(inputs);

const known = (outputs: Properties): Properties =>
  Object.fromEntries(Object.entries(outputs).filter(([, value]) => value !== undefined));

/** A name that the program did not choose: the resource's own, and seven random digits, kept for good. */
function named(news: Properties, olds: Properties, resource: string): Properties {
  if (news["name"] !== undefined) return { ...news, [made]: [] };
  const kept = isNamed(olds) ? olds["name"] : undefined;
  return {
    ...news,
    name: kept ?? `${resource}-${randomBytes(4).toString("hex").slice(1)}`,
    [made]: ["name"],
  };
}
const isNamed = (inputs: Properties): boolean => Array.isArray(inputs[made]) && inputs[made].includes("name");

const ordered = (kind: DockerKind, inputs: Properties): Properties =>
  Object.fromEntries(
    Object.entries(inputs).map(([key, value]) => [
      key,
      kind.sets.includes(key) && Array.isArray(value)
        ? value.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
        : value,
    ]),
  );

function fail(message: string): never {
  throw new Refusal(grpcStatus.INVALID_ARGUMENT, message);
}

import { Server, ServerCredentials, credentials, type ServiceError } from "@grpc/grpc-js";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { Empty, engineService, provider as pb, providerService } from "../../lib/provider/protocol.ts";
import { decode, fromStruct, toStruct, type Properties } from "../../lib/provider/wire.ts";

export interface Logged {
  readonly severity: number;
  readonly urn: string;
  readonly message: string;
  readonly ephemeral: boolean;
}

/** Plays the engine: starts the plugin, and drives it through the protocol. */
export class Driver {
  readonly child: ChildProcess;
  readonly logs: Logged[] = [];
  readonly #client: any;
  readonly #server: Server;

  private constructor(child: ChildProcess, client: unknown, server: Server, logs: Logged[]) {
    this.child = child;
    this.#client = client;
    this.#server = server;
    this.logs = logs;
  }

  static async start(
    state: string,
    program = fileURLToPath(new URL("plugin/main.ts", import.meta.url)),
  ): Promise<Driver> {
    const logs: Logged[] = [];
    const server = new Server();
    server.addService(engineService.EngineService, {
      log: (call: any, done: any) => {
        const { request } = call;
        logs.push({
          severity: request.getSeverity(),
          urn: request.getUrn(),
          message: request.getMessage(),
          ephemeral: request.getEphemeral(),
        });
        done(null, new Empty());
      },
    });
    const address = await new Promise<number>((done, fail) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? fail(error) : done(port),
      ),
    );
    const command = program.endsWith(".ts") ? [process.execPath, program] : [program];
    const child = spawn(command[0]!, [...command.slice(1), `127.0.0.1:${address}`], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NACRE_STATE_DIR: state },
    });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    const client = new providerService.ResourceProviderClient(
      `127.0.0.1:${port}`,
      credentials.createInsecure(),
    );
    return new Driver(child, client, server, logs);
  }

  call(method: string, request: unknown): Promise<any> {
    return new Promise((done, fail) =>
      this.#client[method](request, (error: ServiceError | null, response: unknown) =>
        error ? fail(error) : done(response),
      ),
    );
  }

  /** The engine goes away: its end of our stdin closes. Resolves to the plugin's exit code. */
  async leave(): Promise<number | null> {
    this.child.stdin?.end();
    const code = this.child.exitCode ?? ((await once(this.child, "exit")) as [number])[0];
    this.#client.close();
    this.#server.forceShutdown();
    return code;
  }

  resource(kind: "Machine" | "Workspace" | "Sandbox", name: string): DrivenResource {
    return new DrivenResource(this, `nacre:host:${kind}`, name);
  }
}

/** One resource, with the requests that the engine makes about it. */
export class DrivenResource {
  readonly urn: string;
  readonly #driver: Driver;
  readonly #type: string;
  readonly #name: string;

  constructor(driver: Driver, type: string, name: string) {
    this.#driver = driver;
    this.#type = type;
    this.#name = name;
    this.urn = `urn:pulumi:dev::nacre::${type}::${name}`;
  }

  async check(news: Properties): Promise<{ inputs: Properties; failures: Record<string, string> }> {
    const request = this.#about(new pb.CheckRequest());
    request.setNews(toStruct(news));
    const response = await this.#driver.call("check", request);
    const failures = response
      .getFailuresList()
      .map((failure: any) => [failure.getProperty(), failure.getReason()]);
    return { inputs: fromStruct(response.getInputs()), failures: Object.fromEntries(failures) };
  }

  async diff(
    id: string,
    olds: Properties,
    news: Properties,
  ): Promise<{ changed: boolean; detail: Record<string, string>; replaces: string[] }> {
    const request = this.#about(new pb.DiffRequest());
    request.setId(id);
    request.setOldInputs(toStruct(olds));
    request.setOlds(toStruct(olds));
    request.setNews(toStruct(news));
    const response = await this.#driver.call("diff", request);
    const names = Object.fromEntries(
      Object.entries(pb.PropertyDiff.Kind).map(([name, value]) => [value, name]),
    );
    const entries: [string, any][] = [...response.getDetaileddiffMap().entries()];
    const detail = entries.map(([path, found]) => [path, names[found.getKind()]]);
    return {
      changed: response.getChanges() === pb.DiffResponse.DiffChanges.DIFF_SOME,
      detail: Object.fromEntries(detail),
      replaces: response.getReplacesList(),
    };
  }

  async create(
    inputs: Properties,
    { preview = false } = {},
  ): Promise<{ id: string; outputs: Properties; refreshes: boolean }> {
    const request = this.#about(new pb.CreateRequest());
    request.setProperties(toStruct(inputs));
    request.setPreview(preview);
    const response = await this.#driver.call("create", request);
    return {
      id: response.getId(),
      outputs: fromStruct(response.getProperties()),
      refreshes: response.getRefreshBeforeUpdate(),
    };
  }

  async read(
    id: string,
    recorded?: { inputs: Properties; outputs: Properties },
  ): Promise<{ id: string; inputs: Properties; outputs: Properties }> {
    const request = this.#about(new pb.ReadRequest());
    request.setId(id);
    if (recorded) {
      request.setInputs(toStruct(recorded.inputs));
      request.setProperties(toStruct(recorded.outputs));
    }
    const response = await this.#driver.call("read", request);
    return {
      id: response.getId(),
      inputs: fromStruct(response.getInputs()),
      outputs: fromStruct(response.getProperties()),
    };
  }

  async update(
    id: string,
    olds: { inputs: Properties; outputs: Properties },
    news: Properties,
    { preview = false } = {},
  ): Promise<Properties> {
    const request = this.#about(new pb.UpdateRequest());
    request.setId(id);
    request.setOldInputs(toStruct(olds.inputs));
    request.setOlds(toStruct(olds.outputs));
    request.setNews(toStruct(news));
    request.setPreview(preview);
    return fromStruct((await this.#driver.call("update", request)).getProperties());
  }

  async delete(id: string, recorded: { inputs: Properties; outputs: Properties }): Promise<void> {
    const request = this.#about(new pb.DeleteRequest());
    request.setId(id);
    request.setOldInputs(toStruct(recorded.inputs));
    request.setProperties(toStruct(recorded.outputs));
    await this.#driver.call("delete", request);
  }

  #about<
    Request extends {
      setUrn(urn: string): unknown;
      setType(type: string): unknown;
      setName(name: string): unknown;
    },
  >(request: Request): Request {
    request.setUrn(this.urn);
    request.setType(this.#type);
    request.setName(this.#name);
    return request;
  }
}

/** What an `ErrorResourceInitFailed` carries. */
export function initFailureOf(error: ServiceError): {
  id: string;
  reasons: string[];
  outputs: Properties;
  inputs: Properties;
  refreshes: boolean;
} {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const text = Buffer.from(bytes as Buffer);
  const start =
    text.indexOf("pulumirpc.ErrorResourceInitFailed") + "pulumirpc.ErrorResourceInitFailed".length;
  // Any: field 2 (tag 0x12), a varint length, then the message.
  let offset = start + 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = text[offset++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  const detail = pb.ErrorResourceInitFailed.deserializeBinary(text.subarray(offset, offset + length));
  return {
    id: detail.getId(),
    reasons: detail.getReasonsList(),
    outputs: decode(detail.getProperties()?.toJavaScript()) as Properties,
    inputs: decode(detail.getInputs()?.toJavaScript()) as Properties,
    refreshes: detail.getRefreshBeforeUpdate(),
  };
}

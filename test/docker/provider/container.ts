import { setTimeout as wait } from "node:timers/promises";
import { Header } from "tar/header";
import type { Container } from "../../../lib/docker/container.ts";
import type { DockerEngine } from "../../../lib/docker/engine.ts";
import { InitFailed } from "../../../lib/provider/init-failed.ts";
import { bodyOf, endpointOf, resourcesOf } from "./container-body.ts";
import { containerInputs, type ContainerInputs } from "./container-inputs.ts";
import type { DockerKind, Made } from "./kind.ts";
import { call, found } from "./requests.ts";

/** Terraform's words where a wrapped provider fails. */
const notRunning = "container failed to be in running state";

export const containerKind: DockerKind = {
  inputs: containerInputs,
  computed: ["bridge", "containerLogs", "exitCode", "networkDatas"],
  // `restart` to `memorySwap` go to the engine; a change of the others is only written down.
  inPlace: [
    ...["restart", "maxRetryCount", "cpuShares", "memory", "cpuSet", "memorySwap"],
    ...["healthcheck", "tmpfs", "init", "destroyGraceSeconds", "removeVolumes"],
    ...["start", "mustRun", "wait", "waitTimeout"],
  ],
  sets: [
    ...["envs", "labels", "securityOpts", "volumes", "mounts", "uploads", "networksAdvanced"],
    ...["ulimits", "hosts", "dns"],
  ],

  async create(docker, inputs: ContainerInputs) {
    const image = await found(call(docker, { path: `/images/${inputs.image}/json` }));
    if (image === undefined) throw new Error(`unable to find or pull image ${inputs.image}`);
    const subject = `container ${inputs.name}`;
    const creation = { method: "POST", path: "/containers/create", query: { name: inputs.name } } as const;
    const { Id } = await call(docker, { ...creation, json: bodyOf(inputs), subject });
    for (const network of inputs.networksAdvanced?.slice(1) ?? []) {
      const json = { Container: Id, EndpointConfig: endpointOf(network) };
      await call(docker, { method: "POST", path: `/networks/${network.name}/connect`, json });
    }
    if (inputs.uploads !== undefined && inputs.uploads.length > 0) {
      const put = { method: "PUT", path: `/containers/${Id}/archive`, query: { path: "/" } } as const;
      await call(docker, { ...put, body: archiveOf(inputs.uploads) });
    }
    if (inputs.start === false) return made(await docker.inspectContainer(Id), inputs);
    let problem: string | undefined;
    try {
      await started(docker, Id, inputs);
    } catch (error) {
      problem = (error as Error).message;
    }
    const container = await docker.inspectContainer(Id);
    if (problem === undefined) return made(container, inputs);
    const { id, outputs } = made(container, inputs);
    throw new InitFailed({ id, inputs, outputs: { ...inputs, ...outputs }, problems: [problem] });
  },

  async read(docker, id, inputs: ContainerInputs) {
    const container = await found(docker.inspectContainer(id));
    if (container === undefined) return undefined;
    if (!container.State.Running && inputs.mustRun !== false) {
      await remove(docker, id, inputs); // Even a refresh that only looks does this.
      throw new Error(notRunning);
    }
    return made(container, inputs);
  },

  async update(docker, id, inputs: ContainerInputs) {
    await call(docker, { method: "POST", path: `/containers/${id}/update`, json: resourcesOf(inputs) });
    return made(await docker.inspectContainer(id), inputs);
  },

  delete: remove,
};

async function started(docker: DockerEngine, id: string, inputs: ContainerInputs): Promise<void> {
  await docker.startContainer(id);
  const patience = inputs.waitTimeout ?? 60;
  const deadline = Date.now() + patience * 1000;
  for (;;) {
    const { State } = await docker.inspectContainer(id);
    if (!State.Running && inputs.mustRun !== false && State.Status === "exited") throw new Error(notRunning);
    if (inputs.wait !== true) return;
    if (State.Health == null) throw new Error("a container that is waited for needs a healthcheck");
    if (State.Health.Status === "healthy") return;
    if (Date.now() > deadline) throw new Error(`it is ${State.Health.Status} after ${patience} s`);
    await wait(100);
  }
}

/** Without `destroyGraceSeconds` it is killed: no SIGTERM before, whatever its `stopTimeout`. */
async function remove(docker: DockerEngine, id: string, inputs: ContainerInputs): Promise<void> {
  const grace = inputs.destroyGraceSeconds ?? 0;
  if (grace > 0) await found(docker.stopContainer(id, grace));
  const query = { force: true, v: inputs.removeVolumes ?? true };
  await found(call(docker, { method: "DELETE", path: `/containers/${id}`, query }));
}

function archiveOf(uploads: NonNullable<ContainerInputs["uploads"]>): Buffer {
  const entries = uploads.flatMap(({ file, content, contentBase64, permissions, executable }) => {
    const bytes = Buffer.from(content ?? contentBase64 ?? "", content === undefined ? "base64" : "utf8");
    const mode = permissions === undefined ? (executable ? 0o744 : 0o644) : parseInt(permissions, 8);
    const header = new Header({ path: file.replace(/^\//, ""), mode, size: bytes.length, type: "File" });
    if (header.encode()) throw new Error(`${file}: its path is too long for the stand-in`);
    return [header.block ?? Buffer.alloc(0), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

function made(container: Container, inputs: ContainerInputs): Made {
  const { Ports, Networks } = container.NetworkSettings;
  return {
    id: container.Id,
    outputs: {
      ports: inputs.ports?.map((port) => ({
        ...port,
        external: port.external ?? Number(Ports?.[`${port.internal}/${port.protocol}`]?.[0]?.HostPort),
      })),
      networkDatas: Object.entries(Networks ?? {}).map(([networkName, { IPAddress }]) => ({
        networkName,
        ipAddress: IPAddress ?? "",
      })),
      bridge: "",
      exitCode: container.State.Running ? undefined : container.State.ExitCode,
    },
  };
}

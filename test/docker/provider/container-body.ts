import type { ContainerInputs } from "./container-inputs.ts";
import { labelsOf } from "./requests.ts";

const mebibyte = 1 << 20;

/** The Engine API's words for what the inputs ask for. */
export function bodyOf(inputs: ContainerInputs): object {
  const { networksAdvanced: [first] = [], ports = [], volumes = [] } = inputs;
  return {
    Image: inputs.image,
    Cmd: inputs.command,
    Entrypoint: inputs.entrypoints,
    Env: inputs.envs,
    User: inputs.user,
    WorkingDir: inputs.workingDir,
    Hostname: inputs.hostname,
    Domainname: inputs.domainname,
    Labels: labelsOf(inputs.labels),
    StopSignal: inputs.stopSignal,
    StopTimeout: inputs.stopTimeout,
    Healthcheck: inputs.healthcheck && {
      Test: inputs.healthcheck.tests,
      Interval: nanoseconds(inputs.healthcheck.interval),
      Timeout: nanoseconds(inputs.healthcheck.timeout),
      StartPeriod: nanoseconds(inputs.healthcheck.startPeriod),
      Retries: inputs.healthcheck.retries,
    },
    ExposedPorts: Object.fromEntries(ports.map(({ internal, protocol }) => [`${internal}/${protocol}`, {}])),
    Volumes: Object.fromEntries(
      volumes
        .filter(({ hostPath, volumeName }) => hostPath === undefined && volumeName === undefined)
        .map(({ containerPath }) => [containerPath, {}]),
    ),
    HostConfig: {
      ...resourcesOf(inputs),
      Privileged: inputs.privileged,
      ReadonlyRootfs: inputs.readOnly,
      Init: inputs.init,
      CapAdd: inputs.capabilities?.adds,
      CapDrop: inputs.capabilities?.drops,
      SecurityOpt: inputs.securityOpts,
      Sysctls: inputs.sysctls,
      Tmpfs: inputs.tmpfs,
      ShmSize: inputs.shmSize === undefined ? undefined : inputs.shmSize * mebibyte,
      NanoCpus: inputs.cpus === undefined ? undefined : Math.round(Number(inputs.cpus) * 1e9),
      Runtime: inputs.runtime,
      PidMode: inputs.pidMode,
      IpcMode: inputs.ipcMode,
      UsernsMode: inputs.usernsMode,
      CgroupnsMode: inputs.cgroupnsMode,
      Dns: inputs.dns,
      ExtraHosts: inputs.hosts?.map(({ host, ip }) => `${host}:${ip}`),
      Ulimits: inputs.ulimits?.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
      NetworkMode: first?.name ?? inputs.networkMode ?? "bridge",
      PortBindings: Object.fromEntries(
        ports.map(({ internal, protocol, ip, external }) => [
          `${internal}/${protocol}`,
          [{ HostIp: ip, HostPort: external === undefined ? "" : String(external) }],
        ]),
      ),
      Binds: volumes.flatMap(({ hostPath, volumeName, containerPath, readOnly }) => {
        const source = volumeName ?? hostPath;
        return source === undefined ? [] : [`${source}:${containerPath}:${readOnly ? "ro" : "rw"}`];
      }),
      Mounts: inputs.mounts?.map((mount) => ({
        Target: mount.target,
        Source: mount.source,
        Type: mount.type,
        ReadOnly: mount.readOnly,
        BindOptions: mount.bindOptions && { Propagation: mount.bindOptions.propagation },
        VolumeOptions: mount.volumeOptions && { NoCopy: mount.volumeOptions.noCopy },
        TmpfsOptions: mount.tmpfsOptions && {
          Mode: mount.tmpfsOptions.mode,
          SizeBytes: mount.tmpfsOptions.sizeBytes,
        },
      })),
      LogConfig: inputs.logDriver && { Type: inputs.logDriver, Config: inputs.logOpts ?? {} },
    },
    NetworkingConfig: first && { EndpointsConfig: { [first.name]: endpointOf(first) } },
  };
}

/** What an update changes in place too. Without `memorySwap` the engine keeps its own (twice the memory, once). */
export const resourcesOf = (inputs: ContainerInputs): object => ({
  Memory: (inputs.memory ?? 0) * mebibyte,
  MemorySwap:
    inputs.memorySwap === undefined || inputs.memorySwap <= 0
      ? inputs.memorySwap
      : inputs.memorySwap * mebibyte,
  CpuShares: inputs.cpuShares,
  CpusetCpus: inputs.cpuSet,
  RestartPolicy: { Name: inputs.restart ?? "no", MaximumRetryCount: inputs.maxRetryCount ?? 0 },
});

export const endpointOf = (network: {
  readonly aliases?: readonly string[] | undefined;
  readonly ipv4Address?: string | undefined;
}): object => ({
  Aliases: network.aliases,
  IPAMConfig: network.ipv4Address === undefined ? undefined : { IPv4Address: network.ipv4Address },
});

const units: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's text for a duration, as the engine counts it. */
const nanoseconds = (text = "0s"): number =>
  [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, number, unit = ""]) => sum + Number(number) * (units[unit] ?? 0),
    0,
  );

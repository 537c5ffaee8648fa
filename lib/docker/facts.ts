import { z } from "zod";

/** GET /version, what of it is the same for Docker and for Podman's imitation of it. */
export const versionSchema = z.looseObject({
  Version: z.string(),
  ApiVersion: z.string(),
  Components: z.array(z.looseObject({ Name: z.string(), Version: z.string() })).nullish(),
});

/** GET /info. `Rootless` is Podman's own; Docker says it among its security options. */
export const infoSchema = z.looseObject({
  SecurityOptions: z.array(z.string()).nullish(),
  CgroupVersion: z.string().optional(),
  CgroupDriver: z.string().optional(),
  Driver: z.string().optional(),
  KernelVersion: z.string().optional(),
  OSType: z.string().optional(),
  Rootless: z.boolean().optional(),
});

/** What an engine is, by its own answers. */
export interface EngineFacts {
  readonly engine: "docker" | "podman";
  readonly version: string;
  readonly apiVersion: string;
  readonly rootless: boolean;
  /** Undefined where the engine does not say. */
  readonly cgroupVersion: 1 | 2 | undefined;
  /** Whether limits of memory and processors hold: a rootless engine without delegated control groups drops them. */
  readonly limits: "enforced" | "dropped";
  /**
   * What `privileged` gives a container: the machine's own root, or root of a user namespace alone. An engine with
   * remapped user ids (`userns-remap`) gives the first only to a container that asks for the host's user namespace too.
   */
  readonly privileged: "machine" | "on_request" | "namespace";
  readonly storage: string | undefined;
}

export function factsOf(
  version: z.infer<typeof versionSchema>,
  info: z.infer<typeof infoSchema>,
): EngineFacts {
  const options = (info.SecurityOptions ?? []).map((option) => option.split(",")[0]);
  const rootless = info.Rootless === true || options.includes("name=rootless");
  const podman = (version.Components ?? []).some(({ Name }) => Name === "Podman Engine");
  return {
    engine: podman ? "podman" : "docker",
    version: version.Version,
    apiVersion: version.ApiVersion,
    rootless,
    cgroupVersion: info.CgroupVersion === "1" ? 1 : info.CgroupVersion === "2" ? 2 : undefined,
    limits: info.CgroupDriver === "none" || (rootless && info.CgroupVersion === "1") ? "dropped" : "enforced",
    privileged: rootless ? "namespace" : options.includes("name=userns") ? "on_request" : "machine",
    storage: info.Driver,
  };
}

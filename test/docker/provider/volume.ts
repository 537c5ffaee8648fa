import { z } from "zod";
import type { DockerKind, Made } from "./kind.ts";
import { call, found, labelsOf } from "./requests.ts";

const labels = z.array(z.strictObject({ label: z.string(), value: z.string() }));

export const volumeKind: DockerKind = {
  inputs: z.strictObject({
    name: z.string(),
    driver: z.string().optional(),
    driverOpts: z.record(z.string(), z.string()).optional(),
    labels: labels.optional(),
  }),
  computed: ["mountpoint"],
  inPlace: [],
  sets: ["labels"],
  async create(docker, inputs) {
    const { name: Name, driver: Driver, driverOpts: DriverOpts } = inputs;
    const json = { Name, Driver, DriverOpts, Labels: labelsOf(inputs.labels) };
    return made(await call(docker, { method: "POST", path: "/volumes/create", json }));
  },
  async read(docker, id) {
    const volume = await found(call(docker, { path: `/volumes/${id}` }));
    return volume === undefined ? undefined : made(volume);
  },
  update: () => Promise.reject(new Error("every change of a volume replaces it")),
  async delete(docker, id) {
    await found(call(docker, { method: "DELETE", path: `/volumes/${id}` }));
  },
};

const made = (volume: { Name: string; Driver: string; Mountpoint: string }): Made => ({
  id: volume.Name,
  outputs: { name: volume.Name, driver: volume.Driver, mountpoint: volume.Mountpoint },
});

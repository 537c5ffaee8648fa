import { z } from "zod";
import type { DockerKind, Made } from "./kind.ts";
import { call, found, labelsOf } from "./requests.ts";

const ipamConfig = z.strictObject({
  subnet: z.string().optional(),
  gateway: z.string().optional(),
  ipRange: z.string().optional(),
});

export const networkKind: DockerKind = {
  inputs: z.strictObject({
    name: z.string(),
    driver: z.string().optional(),
    internal: z.boolean().optional(),
    attachable: z.boolean().optional(),
    ipv6: z.boolean().optional(),
    options: z.record(z.string(), z.string()).optional(),
    ipamConfigs: z.array(ipamConfig).optional(),
    labels: z.array(z.strictObject({ label: z.string(), value: z.string() })).optional(),
  }),
  computed: ["scope"],
  inPlace: [],
  sets: ["labels", "ipamConfigs"],
  async create(docker, inputs) {
    const ipam = (inputs.ipamConfigs ?? []) as z.infer<typeof ipamConfig>[];
    const json = {
      Name: inputs.name,
      CheckDuplicate: true,
      Driver: inputs.driver,
      Internal: inputs.internal,
      Attachable: inputs.attachable,
      EnableIPv6: inputs.ipv6,
      Options: inputs.options,
      Labels: labelsOf(inputs.labels),
      IPAM: {
        Config: ipam.map(({ subnet, gateway, ipRange }) => ({
          Subnet: subnet,
          Gateway: gateway,
          IPRange: ipRange,
        })),
      },
    };
    const { Id } = await call(docker, { method: "POST", path: "/networks/create", json });
    return made(await call(docker, { path: `/networks/${Id}` }));
  },
  async read(docker, id) {
    const network = await found(call(docker, { path: `/networks/${id}` }));
    return network === undefined ? undefined : made(network);
  },
  update: () => Promise.reject(new Error("every change of a network replaces it")),
  async delete(docker, id) {
    await found(call(docker, { method: "DELETE", path: `/networks/${id}` }));
  },
};

const made = (network: { Id: string; Name: string; Driver: string; Scope: string }): Made => ({
  id: network.Id,
  outputs: { name: network.Name, driver: network.Driver, scope: network.Scope },
});

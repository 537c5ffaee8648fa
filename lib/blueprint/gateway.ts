import { z } from "zod";
import { parseAddress } from "../policy/address.ts";
import { classOf } from "../policy/address-class.ts";
import { imageLike } from "./cluster.ts";
import { nameSchema, portSchema } from "./names.ts";
import { bytesOf, bytesSchema } from "./quantities.ts";

const argument = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "an argument without its dashes: audit-log-maxage");

/** Parts of K3s that can be left out. */
export const k3sParts = [
  "coredns",
  "servicelb",
  "traefik",
  "local-storage",
  "metrics-server",
  "runtimes",
] as const;

const nameserver = z
  .string()
  .refine(
    (text) => parseAddress(text) !== undefined && !/^(127\.|::1$)/.test(text),
    "an address that the container reaches, which is not its own loopback: 192.168.1.1",
  );

/** K3s in a container: what a laptop or a small machine has for a cluster. */
export const gatewaySchema = z.strictObject({
  image: imageLike("rancher/k3s")
    .optional()
    .describe("K3s by digest. Without it `synth` and `preview` work, and `up` refuses.")
    .meta({ examples: ["rancher/k3s@sha256:…"] }),
  name: nameSchema
    .optional()
    .describe("The container's name; its volume and its network are called after it.")
    .meta({ default: "`nacre-ENVIRONMENT`", examples: ["nacre-dev"] }),
  port: portSchema
    .optional()
    .describe("Where the API server is published, on 127.0.0.1 alone.")
    .meta({ default: "6443" }),
  subnet: z
    .string()
    .regex(/^(\d{1,3}\.){3}0\/24$/, "a block of 256 addresses: 10.44.7.0/24")
    .refine(
      (text) => ["private", "shared"].includes(classOf(text.replace("/24", "")) ?? ""),
      "a block of private addresses (RFC 1918, or of 100.64.0.0/10): 10.44.7.0/24",
    )
    .optional()
    .describe("The addresses of the container's own network, on this machine alone: private ones.")
    .meta({ default: "a block of `10.44.0.0/16`, by the container's name" }),
  dns: z
    .array(nameserver)
    .min(1, "at least one")
    .max(3, "at most 3")
    .optional()
    .describe(
      "The nameservers that the cluster asks for other names than its own. Docker's own resolver, which a container has by default, is out of a pod's reach.",
    )
    .meta({ default: "K3s' own: 8.8.8.8", examples: ["[192.168.1.1]"] }),
  resources: z
    .strictObject({
      cpu: z.number().positive("more than 0").optional().describe("Cores, fractions allowed."),
      memory: bytesSchema.optional().describe("Memory."),
    })
    .optional()
    .describe("Limits of the container, which protect the machine.")
    .meta({ default: "unlimited" }),
  disable: z
    .array(z.enum(k3sParts))
    .optional()
    .describe("Parts of K3s that are left out.")
    .meta({ default: "`[traefik, servicelb]`" }),
  apiArguments: z
    .record(argument, z.string())
    .optional()
    .describe("Further arguments of the API server. Those that Nacre sets for its walls are refused here."),
  kubeletArguments: z
    .record(argument, z.string())
    .optional()
    .describe("Further arguments of the kubelet. Those that Nacre sets for its walls are refused here."),
  audit: z
    .enum(["none", "metadata", "request"])
    .optional()
    .describe("What the API server records of each request. Bodies of Secrets never are.")
    .meta({ default: "`metadata`" }),
  keep: z
    .boolean()
    .optional()
    .describe("The volume with all data stays when the environment is destroyed.")
    .meta({ default: "true" }),
});
export type GatewayDocument = z.infer<typeof gatewaySchema>;

/** The same with every default written out. */
export interface GatewaySettings {
  readonly image: string | undefined;
  readonly name: string | undefined;
  readonly port: number;
  readonly subnet: string | undefined;
  /** Empty: K3s' own choice. */
  readonly dns: readonly string[];
  /** Absent means unlimited. */
  readonly resources: { readonly cpu?: number; readonly memoryBytes?: number };
  readonly disable: readonly (typeof k3sParts)[number][];
  readonly apiArguments: Readonly<Record<string, string>>;
  readonly kubeletArguments: Readonly<Record<string, string>>;
  readonly audit: "none" | "metadata" | "request";
  readonly keep: boolean;
}

export function gatewayOf(written: GatewayDocument): GatewaySettings {
  const { cpu, memory } = written.resources ?? {};
  const memoryBytes = memory === undefined ? undefined : bytesOf(memory);
  return {
    image: written.image,
    name: written.name,
    port: written.port ?? 6443,
    subnet: written.subnet,
    dns: written.dns ?? [],
    resources: {
      ...(cpu === undefined ? {} : { cpu }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    },
    disable: [...new Set(written.disable ?? (["traefik", "servicelb"] as const))].sort(),
    apiArguments: written.apiArguments ?? {},
    kubeletArguments: written.kubeletArguments ?? {},
    audit: written.audit ?? "metadata",
    keep: written.keep ?? true,
  };
}

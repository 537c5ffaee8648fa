import { z } from "zod";
import { parseCidr } from "../policy/address.ts";
import { holdsMetadata } from "../policy/address-class.ts";
import { hostPatternProblem } from "../policy/host-pattern.ts";
import { problemText } from "../policy/problem.ts";
import { notOne } from "./credentials.ts";
import { isDeferred } from "./deferred.ts";
import { nameSchema, portSchema } from "./names.ts";
import { bytesOf, bytesSchema } from "./quantities.ts";

/** A name of an object in Kubernetes (RFC 1123 label). */
const label = z
  .string()
  .max(63, "at most 63 characters")
  .refine(
    (name) => isDeferred(name) || /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name),
    "lower-case letters, digits and dashes: my-namespace",
  );
const subdomain = z
  .string()
  .max(253, "at most 253 characters")
  .refine(
    (name) => isDeferred(name) || /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name),
    "an object's name, of lower-case letters, digits, dashes and dots: my-secret",
  );
const secretKey = z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/, "a key of a Secret: token");

const SECRET =
  "write { secret: NAME, key: KEY }: the Secret's name, never its value; if that was a real key, revoke it";

/** A tag can be moved to other bytes; a digest cannot. */
export const imageLike = (example: string): z.ZodString =>
  z
    .string()
    .refine(
      (name) => isDeferred(name) || /^[a-z0-9][\w./:-]*@sha256:[0-9a-f]{64}$/.test(name),
      `an image by its digest: ${example}@sha256:<64 hexadecimal digits>`,
    );
const image = imageLike("registry.example/nacre/egress");

const cidr = z
  .string()
  .refine(
    (text) => text.includes("/") && parseCidr(text) !== undefined,
    "a block of addresses: 10.42.0.0/16",
  );

/** Whether a block is wider than what one looks through at a glance: 256 addresses. */
export function isWide(text: string): boolean {
  const block = parseCidr(text);
  return block !== undefined && block.bits < (block.family === 4 ? 24 : 120);
}

const metadata = [
  (text: string): boolean => {
    const block = parseCidr(text);
    return block === undefined || !holdsMetadata(block);
  },
  "holds link-local addresses or a metadata service's, which gives a machine's own credentials away: write the narrower block that is meant",
] as const;
/** Where the walls open a way to a service. */
const few = cidr
  .refine(
    (text) => !isWide(text),
    "wider than a /24 of IPv4 or a /120 of IPv6, and this is for a few addresses: write those alone, as 10.43.0.1/32",
  )
  .refine(...metadata);

/** One name: what is granted goes to no host that a pattern happens to match. */
const host = z.string().superRefine((written, context) => {
  const problem =
    (written.includes("*") ? notOne(written, written) : undefined) ?? hostPatternProblem(written);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problemText(problem) });
});

const labels = z.record(z.string().min(1), z.string()).meta({ examples: ["{ app: ingress }"] });

/** Pods by the labels of their namespace and their own; what is left out is any. */
const peer = z
  .strictObject({
    namespace: labels.optional().describe("Labels of the pods' namespace."),
    pods: labels.optional().describe("Labels of the pods."),
  })
  .refine(
    ({ namespace = {}, pods = {} }) => Object.keys(namespace).length + Object.keys(pods).length > 0,
    "at least one label: a peer without any is every pod of the cluster",
  );

/** What an environment in a cluster sets for itself. Names and addresses: a value of a Secret is nowhere here. */
export const clusterSchema = z.strictObject({
  namespace: label
    .optional()
    .describe("The environment's namespace. Nacre makes it; nothing else should live there.")
    .meta({ default: "`PROJECT-ENVIRONMENT`", examples: ["team-prod"] }),
  images: z
    .strictObject({
      egress: image.optional().describe("The egress of a sandbox."),
      router: image.optional().describe("The privacy router."),
      agents: z
        .record(nameSchema, image)
        .optional()
        .describe("What agents run in, by the agent's name, or by the name of its kit."),
    })
    .optional()
    .describe("Images by digest. Without them `synth` and `preview` work, and `up` refuses."),
  secrets: z
    .record(
      nameSchema,
      z.strictObject({
        secret: subdomain.describe("An existing Secret of the namespace.").meta({ examples: ["nvidia-key"] }),
        key: secretKey
          .optional()
          .describe("Its key that holds the value.")
          .meta({ default: "`value`", examples: ["token"] }),
      }),
    )
    .optional()
    .meta({ unspoken: SECRET })
    .describe(
      "The Secret behind each credential that the blueprint names. The hosts that it may go to stand in the Secret itself, under its key `nacre-for`.",
    ),
  storage: z
    .strictObject({
      class: subdomain.optional().describe("The storage class.").meta({ default: "the cluster's own" }),
      size: bytesSchema
        .optional()
        .describe("Of each sandbox' claim.")
        .meta({ default: "`1Gi`", examples: ["10Gi"] }),
      keep: z
        .boolean()
        .optional()
        .describe("Claims and their namespace stay when the environment is destroyed.")
        .meta({ default: "true" }),
    })
    .optional()
    .describe("What persists."),
  runtimeClasses: z
    .strictObject({
      gvisor: subdomain.optional().describe("Of gVisor.").meta({ default: "`gvisor`" }),
      kata: subdomain.optional().describe("Of Kata Containers.").meta({ default: "`kata`" }),
    })
    .optional()
    .describe("The names of the cluster's RuntimeClasses."),
  seccomp: z
    .enum(["runtime-default", "localhost"])
    .optional()
    .describe(
      "`localhost`: each node holds the blueprint's profiles in its kubelet's folder, as `nacre/DIGEST.json`; each is the ConfigMap `seccomp-DIGEST` too.",
    )
    .meta({ default: "`runtime-default`" }),
  userNamespaces: z
    .boolean()
    .optional()
    .describe(
      "Pods have user namespaces of their own (`hostUsers: false`); the nodes' runtime has to know them.",
    )
    .meta({ default: "false" }),
  api: z
    .strictObject({
      cidr: few
        .describe("Where the API server is, as pods reach it: at most 256 addresses.")
        .meta({ examples: ["10.43.0.1/32"] }),
      port: portSchema.optional().describe("Its port there.").meta({ default: "443" }),
      behind: z
        .strictObject({
          cidr: few.describe("Addresses of the API servers themselves, at most 256."),
          port: portSchema.describe("Their port."),
        })
        .optional()
        .describe(
          "Where it really listens. Most enforcers of NetworkPolicies see a connection after the service's address was replaced.",
        )
        .meta({ examples: ["{ cidr: 10.0.0.0/28, port: 6443 }"] }),
    })
    .optional()
    .describe(
      "The API server: each egress watches its own policy there. Without it a changed policy arrives with the kubelet's refresh, within about a minute.",
    ),
  ranges: z
    .array(cidr)
    .optional()
    .describe(
      "Addresses of the cluster itself (nodes, pods, services) that are public ones. Private ones are out of reach as it is.",
    )
    .meta({ examples: ["[203.0.113.0/24]"] }),
  dns: peer
    .optional()
    .describe("The cluster's DNS, which egresses and the router ask.")
    .meta({ default: "`k8s-app: kube-dns` in `kube-system`" }),
  grants: z
    .array(
      z.strictObject({
        host: host.describe("The one name that may be reached there."),
        cidr: cidr
          .refine(...metadata)
          .describe(
            "Addresses that are not public, and may be dialled all the same; never link-local ones or a metadata service's.",
          ),
        port: portSchema.describe("The port."),
      }),
    )
    .optional()
    .describe(
      "The operator's word on addresses that are not public, as in `host.yaml`. Every `synth` and `preview` lists them.",
    ),
  inward: z
    .array(peer)
    .optional()
    .describe("Who may connect to the ports that agents declare.")
    .meta({ default: "nobody; `kubectl port-forward` reaches them" }),
  router: z
    .strictObject({
      replicas: z
        .strictObject({
          min: z.int().min(1, "at least 1").max(100, "at most 100").describe("Always."),
          max: z.int().min(1, "at least 1").max(100, "at most 100").describe("Under load."),
        })
        .superRefine(({ min, max }, context) => {
          if (min <= max) return;
          context.addIssue({
            code: "custom",
            message: `max (${max}) is less than min (${min}): write { min: ${min}, max: ${min} }`,
          });
        })
        .optional()
        .describe("How many there are.")
        .meta({ default: "`{ min: 1, max: 1 }`" }),
      budgets: z
        .strictObject({
          store: z.enum(["valkey", "redis", "postgresql"]).describe("What keeps them."),
          secret: subdomain
            .describe("An existing Secret of the namespace, whose key `url` says how to connect.")
            .meta({
              unspoken: "write the Secret's name, never its value; if that was a real one, change it",
            }),
          cidr: few.describe("Where it is, at most 256 addresses."),
          port: portSchema.describe("Its port."),
        })
        .optional()
        .describe("Where replicas keep one ledger of budgets. Needed where there can be more than one."),
    })
    .optional()
    .describe("The privacy router's deployment."),
});
export type ClusterDocument = z.infer<typeof clusterSchema>;

/** Where the API server is: as a service, and behind it. */
export interface ApiPlace {
  readonly cidr: string;
  readonly port: number;
  readonly behind?: { readonly cidr: string; readonly port: number };
}

export interface Peer {
  readonly namespace: Readonly<Record<string, string>>;
  readonly pods: Readonly<Record<string, string>>;
}

/** The same with every default written out. */
export interface ClusterSettings {
  readonly namespace: string | undefined;
  readonly images: {
    readonly egress: string | undefined;
    readonly router: string | undefined;
    readonly agents: Readonly<Record<string, string>>;
  };
  readonly secrets: Readonly<Record<string, { readonly secret: string; readonly key: string }>>;
  readonly storage: { readonly class: string | undefined; readonly bytes: number; readonly keep: boolean };
  readonly runtimeClasses: { readonly gvisor: string; readonly kata: string };
  readonly seccomp: "runtime-default" | "localhost";
  readonly userNamespaces: boolean;
  readonly api: ApiPlace | undefined;
  readonly ranges: readonly string[];
  readonly dns: Peer;
  readonly grants: readonly { readonly host: string; readonly cidr: string; readonly port: number }[];
  readonly inward: readonly Peer[];
  readonly router: {
    readonly replicas: { readonly min: number; readonly max: number };
    readonly budgets:
      | {
          readonly store: "valkey" | "redis" | "postgresql";
          readonly secret: string;
          readonly cidr: string;
          readonly port: number;
        }
      | undefined;
  };
}

const GIBIBYTE = 2 ** 30;
const DNS = { namespace: { "kubernetes.io/metadata.name": "kube-system" }, pods: { "k8s-app": "kube-dns" } };

export function clusterOf(written: ClusterDocument): ClusterSettings {
  const { images = {}, storage = {}, runtimeClasses = {}, api, router = {} } = written;
  return {
    namespace: written.namespace,
    images: { egress: images.egress, router: images.router, agents: images.agents ?? {} },
    secrets: Object.fromEntries(
      Object.entries(written.secrets ?? {}).map(([name, { secret, key = "value" }]) => [
        name,
        { secret, key },
      ]),
    ),
    storage: {
      class: storage.class,
      bytes: storage.size === undefined ? GIBIBYTE : (bytesOf(storage.size) ?? GIBIBYTE),
      keep: storage.keep ?? true,
    },
    runtimeClasses: { gvisor: runtimeClasses.gvisor ?? "gvisor", kata: runtimeClasses.kata ?? "kata" },
    seccomp: written.seccomp ?? "runtime-default",
    userNamespaces: written.userNamespaces ?? false,
    api: api && { cidr: api.cidr, port: api.port ?? 443, ...(api.behind && { behind: api.behind }) },
    ranges: written.ranges ?? [],
    dns: peerOf(written.dns ?? DNS),
    grants: written.grants ?? [],
    inward: (written.inward ?? []).map(peerOf),
    router: { replicas: router.replicas ?? { min: 1, max: 1 }, budgets: router.budgets },
  };
}

const peerOf = ({ namespace = {}, pods = {} }: z.infer<typeof peer>): Peer => ({ namespace, pods });

import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { z } from "zod";
import { findings, nameSchema, readText, type Finding } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { hostName } from "../policy/host-name.ts";
import { parseAddress } from "../policy/address.ts";
import { readGrants } from "../policy/guard.ts";
import { isCode } from "./state.ts";

/** `host` or `host:port`; TLS, so 443 unless given. No wildcard: a key goes to hosts that a person named. */
const destinationSchema = z
  .string()
  .regex(/^[^\s*:/]+(:\d{1,5})?$/, "a host without a wildcard, or host:port: api.example.com")
  .refine((written) => {
    const host = written.replace(/:\d+$/, "");
    return hostName(host) !== undefined || parseAddress(host) !== undefined;
  }, "a host without a wildcard, or host:port: api.example.com")
  .meta({ examples: ["api.example.com"] });

/** `environment/sandbox`; `*` stands for any environment, or any sandbox. */
const userSchema = z
  .string()
  .regex(
    /^(\*|[a-z][a-z0-9-]*)\/(\*|[a-z][a-z0-9-]*)$/,
    "an environment and a sandbox, `*` for any: dev/assistant",
  )
  .meta({ examples: ["dev/assistant"] });

const sources = ["file", "env", "command"] as const;

const NEVER =
  "write where the secret is (file: FILE, env: VARIABLE, or command: [PROGRAM]), never the secret itself";

export const secretSchema = z.strictObject({
  file: z
    .string()
    .min(1)
    .optional()
    .describe("A file (0600) that holds nothing else. `~/` is your home.")
    .meta({ unspoken: NEVER }),
  env: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, "a name of an environment variable: NVIDIA_API_KEY")
    .optional()
    .describe("A variable of the environment that `nacre` is called in. The daemon keeps it in memory only.")
    .meta({ unspoken: NEVER }),
  command: z
    .array(z.string())
    .min(1, "at least a program: [pass, show, nvidia]")
    .optional()
    .describe("A program and its arguments; what it prints is the value. No shell reads it.")
    .meta({ unspoken: NEVER }),
  for: z
    .array(destinationSchema)
    .min(1, "at least one host: [api.example.com]")
    .describe("The hosts that it may be sent to, over verified TLS.")
    .meta({ examples: ["[api.example.com]"] }),
  use: z
    .array(userSchema)
    .min(1, "at least one sandbox: [dev/assistant]")
    .describe("The sandboxes whose egress may hold it; `run/run` is what `nacre run` starts.")
    .meta({ examples: ["[dev/assistant]"] }),
});
export type SecretEntry = z.infer<typeof secretSchema>;

export const grantEntrySchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .describe("One name, or an address; no wildcard.")
    .meta({ examples: ["registry.corp.example"] }),
  cidr: z
    .string()
    .min(1)
    .describe(
      "The block of addresses that it may answer with. A metadata service needs a block of its one address.",
    )
    .meta({ examples: ["10.1.2.3/32"] }),
  port: z
    .int()
    .min(1, "a port, 1 to 65535: 443")
    .max(65535, "a port, 1 to 65535: 443")
    .describe("The one port.")
    .meta({ examples: ["443"] }),
});

const signerSchema = z.strictObject({
  name: z
    .string()
    .min(1)
    .describe("A person.")
    .meta({ examples: ["alice"] }),
  key: z
    .string()
    .min(1)
    .describe("Their public key.")
    .meta({ examples: ["ssh-ed25519 AAAA…"] }),
});

/** The operator's file: what secrets, networks and people count on this host. The operator's word, and nobody else's. */
export const operatorSchema = z.strictObject({
  secrets: z
    .record(nameSchema, secretSchema)
    .optional()
    .describe("What the names of secrets mean here: one source each, file, env or command."),
  grants: z
    .array(grantEntrySchema)
    .optional()
    .describe(
      "Names that may answer from addresses that are not public. One that is taken back closes what went through it.",
    ),
  signers: z
    .array(signerSchema)
    .optional()
    .describe("People whose signatures will count. Read, and nothing asks for a signature yet."),
});

export interface Operator {
  /** Where it was read from, for messages. */
  readonly file: string;
  /** Whether the file is there at all. */
  readonly exists: boolean;
  readonly secrets: Readonly<Record<string, SecretEntry>>;
  readonly grants: readonly z.infer<typeof grantEntrySchema>[];
  readonly signers: readonly z.infer<typeof signerSchema>[];
}

/**
 * Reads the operator's file strictly: each problem has its line, its column and the fix.
 * @throws NacreError `operator_invalid` `operator_open`
 */
export async function readOperator(path: string): Promise<Operator> {
  const text = await ownText(path);
  if (text === undefined) return { file: path, exists: false, secrets: {}, grants: [], signers: [] };
  return parseOperator(text, path);
}

/** The same of a text that is not in the file yet. @throws NacreError `invalid_file` */
export function parseOperator(text: string, path: string): Operator {
  // A file of comments alone is what `nacre init` may leave: nothing is mapped.
  const parsed = isBlank(text) ? {} : readText(operatorSchema, text, path, misfits);
  const { secrets = {}, grants = [], signers = [] } = parsed;
  return { file: path, exists: true, secrets, grants, signers };
}

/** What a name is mapped to; also of a name that every object has something of. */
export const mappedTo = ({ secrets }: Pick<Operator, "secrets">, name: string): SecretEntry | undefined =>
  Object.hasOwn(secrets, name) ? secrets[name] : undefined;

/** What is wrong with one entry that is not written yet. */
export const secretFindings = (name: string, entry: SecretEntry): readonly Finding[] => {
  const operator = { secrets: { [name]: entry } };
  const found = findings(operatorSchema, operator);
  return found.length > 0 ? found : misfits(operator);
};

/** How the operator says that names may answer from addresses of an own network. */
export const grantHint = (grants: readonly z.infer<typeof grantEntrySchema>[], file: string): string => {
  const entries = grants.map(({ host, cidr, port }) => `{ host: ${host}, cidr: ${cidr}, port: ${port} }`);
  return `if that is your own network, add to ${file}: grants: [${entries.join(", ")}]`;
};

/** Reads the file again only when it is another; for a daemon, which asks often. */
export function operatorReader(path: string): () => Promise<Operator> {
  let known: { readonly stamp: string; readonly operator: Operator } | undefined;
  return async () => {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    const stamp =
      found === undefined
        ? "none"
        : `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
    if (known?.stamp !== stamp) known = { stamp, operator: await readOperator(path) };
    return known.operator;
  };
}

export const isBlank = (text: string): boolean =>
  text.split("\n").every((line) => line.trim() === "" || line.trimStart().startsWith("#"));

/** What the schema cannot say. */
function misfits(operator: z.infer<typeof operatorSchema>): Finding[] {
  const secrets = Object.entries(operator.secrets ?? {}).flatMap(([name, secret]): Finding[] => {
    const given = sources.filter((source) => secret[source] !== undefined);
    if (given.length === 1) return [];
    const path = ["secrets", name];
    return given.length === 0
      ? [{ path, reason: "has no source", fix: "add one of file, env or command" }]
      : [{ path, reason: `has ${given.length} sources (${given.join(", ")})`, fix: `keep one of them` }];
  });
  const grants = (operator.grants ?? []).flatMap((grant, index): Finding[] => {
    try {
      readGrants([grant]);
      return [];
    } catch (error) {
      if (!(error instanceof NacreError)) throw error;
      return [{ path: ["grants", index], reason: error.message, fix: error.hint ?? "correct it" }];
    }
  });
  return [...secrets, ...grants];
}

/** The text of a file that nobody else may write: who can change it decides where keys go. */
export async function ownText(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw unreadable(path, error instanceof Error ? error.message : String(error), `chmod 600 ${path}`);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) throw unreadable(path, "it is no regular file", "write a YAML file there");
    const user = process.getuid?.() ?? 0;
    if (found.uid !== user && found.uid !== 0)
      throw unreadable(path, `it belongs to user id ${found.uid}`, `make it your own: chown ${user} ${path}`);
    if ((found.mode & 0o077) !== 0)
      throw unreadable(
        path,
        `others may read or write it (mode ${(found.mode & 0o777).toString(8)})`,
        `chmod 600 ${path}`,
      );
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

const unreadable = (path: string, message: string, hint: string): NacreError =>
  new NacreError({ code: "operator_open", subject: path, message, hint });

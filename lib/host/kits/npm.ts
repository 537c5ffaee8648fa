import { execFile } from "node:child_process";
import { existsSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { NacreError } from "../../error.ts";

type Environment = Readonly<Record<string, string | undefined>>;
const run = promisify(execFile);

/** The operator's own npm: a folder of JavaScript that any Node runs. */
export interface Npm {
  /** Holds `bin/npm-cli.js`. */
  readonly folder: string;
}

/** Where `npm-cli.js` is, whatever `npm` on PATH may be: a link to it, a wrapper, or a manager's shim. */
export async function findNpm(env: Environment = process.env): Promise<Npm> {
  const called = env["npm_execpath"];
  const beside = join(dirname(process.execPath), "..", "lib", "node_modules", "npm");
  const candidates = [
    ...(called !== undefined && basename(called) === "npm-cli.js" ? [join(dirname(called), "..")] : []),
    ...onPath(env).map((program) => join(dirname(realpathSync(program)), "..")),
    beside,
  ];
  const found = candidates.find(isNpm) ?? (await asked(env));
  if (found !== undefined) return { folder: realpathSync(found) };
  throw new NacreError({
    code: "npm_missing",
    subject: "npm",
    message: "is not on PATH, and agent kits are installed with it",
    hint: "install npm (it comes with Node), or put it on the PATH that nacre is called with",
  });
}

const isNpm = (folder: string): boolean => existsSync(join(folder, "bin", "npm-cli.js"));

const onPath = (env: Environment): readonly string[] =>
  (env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder.startsWith(sep))
    .map((folder) => join(folder, "npm"))
    .filter(isFile);

/** PATH may name folders of others, which this user cannot look into: what is there is not this user's npm. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A shim (volta, asdf, mise) knows where its npm is. */
async function asked(env: Environment): Promise<string | undefined> {
  const program = onPath(env)[0];
  if (program === undefined) return undefined;
  const answer = await run(program, ["root", "--global"], { env, cwd: homedir(), timeout: 20_000 }).catch(
    () => undefined,
  );
  const folder = join(answer?.stdout.trim() ?? "", "npm");
  return isNpm(folder) ? folder : undefined;
}

const configSchema = z.object({
  /** Left out by npm where it holds a password. */
  registry: z.url({ protocol: /^https?$/ }).optional(),
  cafile: z.string().nullish(),
  ca: z.union([z.string(), z.array(z.string())]).nullish(),
  "strict-ssl": z.boolean().default(true),
  "https-proxy": z.string().nullish(),
  proxy: z.union([z.string(), z.literal(false)]).nullish(),
});

export interface Registry {
  readonly url: URL;
  readonly port: number;
  /** PEM, where npm's configuration names authorities of its own. */
  readonly authorities: string | undefined;
}

/** The registry that the operator's npm would ask, and the authorities that it would trust. No token is read. */
export async function configuredRegistry(npm: Npm, env: Environment = process.env): Promise<Registry> {
  const cli = join(npm.folder, "bin", "npm-cli.js");
  const { stdout } = await run(nodeOf(npm), [cli, "config", "list", "--json"], {
    env: withoutDerived(env),
    cwd: homedir(),
    timeout: 60_000,
    maxBuffer: 16 * 1024 * 1024,
  });
  const parsed = configSchema.safeParse(JSON.parse(stdout));
  if (!parsed.success) throw unusable(z.prettifyError(parsed.error).replaceAll("\n", "; "));
  const config = parsed.data;
  if (config.registry === undefined) throw unusable("its address holds a password");
  const url = new URL(config.registry);
  const proxy = config["https-proxy"] ?? (config.proxy === false ? undefined : config.proxy);
  if (proxy != null && proxy !== "")
    throw unusable("it goes through a proxy, which is not supported yet", "proxy");
  if (!config["strict-ssl"])
    throw unusable("strict-ssl is off, and packages of unverified origin are not taken");
  if (isLoopback(url.hostname))
    throw unusable(
      `${url.host} is this host's loopback, which the installer's sandbox has one of its own of`,
    );
  return {
    url,
    port: url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
    authorities: await authoritiesOf(config),
  };
}

/** npm's global configuration is found beside the Node that runs it: its own, not the one that runs this. */
function nodeOf({ folder }: Npm): string {
  const own = join(folder, "..", "..", "..", "bin", "node");
  return existsSync(own) ? own : process.execPath;
}

/** An npm tells its scripts where another npm's configuration would be (in lower case); that is not the operator's. */
function withoutDerived(env: Environment): Environment {
  const derived = [
    "npm_config_prefix",
    "npm_config_global_prefix",
    "npm_config_globalconfig",
    "NODE_OPTIONS",
  ];
  return Object.fromEntries(Object.entries(env).filter(([name]) => !derived.includes(name)));
}

const isLoopback = (host: string): boolean => /^(localhost|.*\.localhost|127\..*|\[::1\])$/.test(host);

async function authoritiesOf({ ca, cafile }: z.infer<typeof configSchema>): Promise<string | undefined> {
  const given = [ca ?? []].flat().join("\n");
  if (given !== "") return given;
  if (cafile == null || cafile === "") return undefined;
  const { readFile } = await import("node:fs/promises");
  return readFile(cafile, "utf8");
}

const unusable = (reason: string, setting = "registry"): NacreError =>
  new NacreError({
    code: "registry_unusable",
    subject: "npm's configured registry",
    message: reason,
    hint: `npm config get ${setting} shows it; npm config set registry https://… names another`,
  });

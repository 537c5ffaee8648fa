import { NacreError } from "../error.ts";
import { idOf, type HostSandbox } from "../synth/host-objects.ts";
import { nearest } from "../blueprint/index.ts";
import type { Operator, SecretEntry } from "./operator.ts";

/** One secret that a sandbox' description would have its egress send somewhere. */
export interface SecretUse {
  readonly secret: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** The part of the description that asks for it. */
  readonly by: string;
}

const defaultEndpoints = {
  nvidia: "https://integrate.api.nvidia.com/v1",
  openai: "https://api.openai.com/v1",
  demo: undefined,
} as const;

/** Every secret that `spec` names, and where it would go. */
export function secretUses(spec: Pick<HostSandbox, "inference">): SecretUse[] {
  return Object.entries(spec.inference?.providers ?? {}).flatMap(([name, provider]) => {
    const endpoint = provider.endpoint ?? defaultEndpoints[provider.kind];
    if (provider.credential === undefined || endpoint === undefined) return [];
    const { hostname, port, protocol } = new URL(endpoint);
    const tls = protocol === "https:";
    return [
      {
        secret: provider.credential,
        host: hostname.replace(/^\[|\]$/g, "").toLowerCase(),
        port: port === "" ? (tls ? 443 : 80) : Number(port),
        tls,
        by: `inference provider ${name}`,
      },
    ];
  });
}

/**
 * Why this sandbox may not have the secrets that it names: unmapped, another host than the operator said, another
 * user, or no TLS. Empty: it may. Reads no secret.
 */
export function secretRefusals(spec: HostSandbox, operator: Operator): NacreError[] {
  const id = idOf(spec);
  return secretUses(spec).flatMap((use) => {
    const entry = Object.hasOwn(operator.secrets, use.secret) ? operator.secrets[use.secret] : undefined;
    const refusal = entry === undefined ? unmapped(use, id, operator) : misuse(use, entry, id, operator);
    return refusal === undefined ? [] : [refusal];
  });
}

function unmapped(use: SecretUse, id: string, operator: Operator): NacreError {
  const meant = nearest(use.secret, Object.keys(operator.secrets));
  const where = operator.exists ? `${operator.file} does not map it` : `there is no ${operator.file}`;
  return new NacreError({
    code: "secret_unmapped",
    subject: `sandbox ${id}, ${use.by}`,
    message: `names the secret ${use.secret}, and ${where}`,
    hint:
      meant === undefined
        ? `nacre secret set ${use.secret} --env VARIABLE --for ${destinationOf(use)} --use ${id}`
        : `did you mean ${meant}?`,
  });
}

function misuse(use: SecretUse, entry: SecretEntry, id: string, operator: Operator): NacreError | undefined {
  const subject = `sandbox ${id}, ${use.by}`;
  if (!use.tls)
    return new NacreError({
      code: "secret_unencrypted",
      subject,
      message: `would send the secret ${use.secret} to ${use.host}:${use.port} without TLS`,
      hint: "give the provider an https:// endpoint, or no credential",
    });
  if (!entry.for.some((written) => written.toLowerCase() === `${use.host}${port(written, use)}`))
    return new NacreError({
      code: "secret_elsewhere",
      subject,
      message: `would send the secret ${use.secret} to ${destinationOf(use)}, and ${operator.file} has it for ${entry.for.join(", ")}`,
      hint: `if that host shall have it, add ${destinationOf(use)} to secrets.${use.secret}.for in ${operator.file}`,
    });
  if (!entry.use.some((pattern) => matches(pattern, id)))
    return new NacreError({
      code: "secret_not_for_sandbox",
      subject,
      message: `wants the secret ${use.secret}, and ${operator.file} lets ${entry.use.join(", ")} use it`,
      hint: `if this sandbox shall have it, add ${id} to secrets.${use.secret}.use in ${operator.file}`,
    });
  return undefined;
}

/** How `written` must end to mean this port: nothing is 443. */
const port = (written: string, use: SecretUse): string =>
  /:\d+$/.test(written) || use.port !== 443 ? `:${use.port}` : "";

const destinationOf = (use: SecretUse): string => (use.port === 443 ? use.host : `${use.host}:${use.port}`);

function matches(pattern: string, id: string): boolean {
  const [environment, name] = pattern.split("/");
  const [isEnvironment, isName] = id.split("/");
  return (environment === "*" || environment === isEnvironment) && (name === "*" || name === isName);
}

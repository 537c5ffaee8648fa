import { faultsError, NacreError } from "../error.ts";
import { idOf, type HostSandbox } from "../synth/host-objects.ts";
import { nearest } from "../blueprint/index.ts";
import { endpointPorts } from "../policy/language.ts";
import { targetOf } from "../router/target.ts";
import { mappedTo, type Operator, type SecretEntry } from "./operator.ts";

/** One secret that a sandbox' description would have its egress send somewhere. */
interface SecretUse {
  readonly secret: string;
  readonly host: string;
  readonly port: number;
  /** The part of the description that asks for it. */
  readonly by: string;
}

/** The names of the secrets that `spec` has its egress hold. */
export const secretNames = (spec: Pick<HostSandbox, "inference" | "network">): string[] => [
  ...new Set([
    ...Object.values(spec.inference?.providers ?? {}).flatMap(({ kind, credential }) =>
      kind === "demo" || credential === undefined ? [] : [credential],
    ),
    ...boundUses(spec.network).map(({ secret }) => secret),
  ]),
];

/** What endpoints are bound to, and where it would go. */
function boundUses(network: HostSandbox["network"]): SecretUse[] {
  return Object.entries(network).flatMap(([id, { endpoints }]) =>
    endpoints.flatMap((endpoint) => {
      const { host = "", credential_binding: binding } = endpoint;
      if (binding === undefined) return [];
      const use = { secret: binding.provider, host: host.toLowerCase(), by: `rule ${id}` };
      return endpointPorts(endpoint).map((port) => ({ ...use, port }));
    }),
  );
}

/**
 * Why this sandbox may not have what it names: an endpoint that no prompt and no key may go to (no TLS, no grant), a
 * secret that is unmapped, or not for that host, or not for this sandbox. Empty: it may. Reads no secret.
 */
export function secretRefusals(spec: HostSandbox, operator: Operator): NacreError[] {
  const id = idOf(spec);
  const refusalsOf = (use: SecretUse): NacreError[] => {
    const entry = mappedTo(operator, use.secret);
    const refusal = entry === undefined ? unmapped(use, id, operator) : misuse(use, entry, id, operator);
    return refusal === undefined ? [] : [refusal];
  };
  const ofInference = Object.entries(spec.inference?.providers ?? {}).flatMap(
    ([name, { kind, ...provider }]) => {
      if (kind === "demo") return [];
      try {
        const { host, port } = targetOf(name, { kind, ...provider }, (where) => isGranted(where, operator));
        if (provider.credential === undefined) return [];
        return refusalsOf({ secret: provider.credential, host, port, by: `inference provider ${name}` });
      } catch (error) {
        if (error instanceof NacreError) return [error];
        throw error;
      }
    },
  );
  return [...ofInference, ...boundUses(spec.network).flatMap(refusalsOf)];
}

/** All of them as one error, each with its own fix. */
export function refuseAll([first, ...others]: readonly NacreError[]): void {
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const faultOf = ({ subject, message, hint = "" }: NacreError) => ({ subject, reason: message, fix: hint });
  throw faultsError(first.code, [faultOf(first), ...others.map(faultOf)]);
}

/** Another policy by command: refused where it would have a secret that the sandbox may not have, and has not yet. */
export function refuseNewSecrets(before: HostSandbox, after: HostSandbox, operator: Operator): void {
  const known = new Set(secretRefusals(before, operator).map(String));
  const refusal = secretRefusals(after, operator).find((one) => !known.has(String(one)));
  if (refusal !== undefined) throw refusal;
}

const isGranted = (where: { readonly host: string; readonly port: number }, { grants }: Operator): boolean =>
  grants.some(({ host, port }) => host === where.host && port === where.port);

function unmapped(use: SecretUse, id: string, operator: Operator): NacreError {
  const meant = nearest(use.secret, Object.keys(operator.secrets));
  const where = operator.exists ? `${operator.file} does not map it` : `there is no ${operator.file}`;
  return new NacreError({
    code: "secret_unmapped",
    subject: `sandbox ${id}, ${use.by}`,
    message: `names the secret ${use.secret}, and ${where}`,
    hint: `${meant === undefined ? "" : `did you mean ${meant}? If not: `}nacre secret set ${use.secret} --env VARIABLE --for ${destinationOf(use)} --use ${id}`,
  });
}

function misuse(use: SecretUse, entry: SecretEntry, id: string, operator: Operator): NacreError | undefined {
  const subject = `sandbox ${id}, ${use.by}`;
  if (!entry.for.some((written) => written.toLowerCase() === `${use.host}${port(written, use)}`))
    return new NacreError({
      code: "secret_elsewhere",
      subject,
      message: `would send the secret ${use.secret} to ${destinationOf(use)}, and ${operator.file} has it for ${entry.for.join(", ")}`,
      hint: `if that host shall have it: nacre secret allow ${use.secret} --for ${destinationOf(use)}`,
    });
  if (!entry.use.some((pattern) => matches(pattern, id)))
    return new NacreError({
      code: "secret_not_for_sandbox",
      subject,
      message: `wants the secret ${use.secret}, and ${operator.file} lets ${entry.use.join(", ")} use it`,
      hint: `if this sandbox shall have it: nacre secret allow ${use.secret} --use ${id}`,
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

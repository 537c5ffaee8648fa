import { NacreError } from "../error.ts";
import { parseAddress } from "../policy/address.ts";
import { hostName } from "../policy/host-name.ts";
import type { Provider } from "./config.ts";

/** Where a provider answers. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Path before `/chat/completions`: `/v1`. */
  readonly base: string;
}

/** Where the vendors answer: the base URL of a provider that names none. */
export const vendorEndpoints = {
  nvidia: "https://integrate.api.nvidia.com/v1",
  openai: "https://api.openai.com/v1",
} as const;

/**
 * Reads a provider's endpoint. Plain http is for what the operator granted (a model on this host or in this network)
 * and never carries a credential.
 */
export function targetOf(
  name: string,
  provider: Provider & { readonly kind: "nvidia" | "openai" },
  isGranted: (where: { readonly host: string; readonly port: number }) => boolean,
): Target {
  const text = provider.endpoint ?? vendorEndpoints[provider.kind];
  const wrong = (message: string, hint: string): NacreError =>
    new NacreError({ code: "endpoint_invalid", subject: `inference provider ${name}`, message, hint });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw wrong(`${text} is not an https URL`, "write it as https://HOST/v1");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw wrong(`the endpoint has more than host, port and path`, "credentials are named by credential:");
  }
  const literal = parseAddress(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  const host = literal?.text ?? hostName(url.hostname);
  if (host === undefined) throw wrong(`${url.hostname} is not a host name`, "write it as https://HOST/v1");
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  if (!secure && !isGranted({ host, port })) {
    throw wrong(
      `${text} would send prompts in the clear`,
      `use https, or grant a model of your own in host.yaml: grants: [{ host: ${host}, cidr: …, port: ${port} }]`,
    );
  }
  if (!secure && provider.credential !== undefined) {
    throw wrong("a credential goes over verified TLS only", "use https, or remove credential:");
  }
  return { host, port, secure, base: url.pathname.replace(/\/+$/, "") };
}

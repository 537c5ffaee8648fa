import { normalRange } from "../policy/address-range.ts";
import { bindingOf } from "../policy/binding.ts";
import { parseHostPattern } from "../policy/host-pattern.ts";
import { type Endpoint, endpointPorts, type QueryMatcher, type RequestMatcher } from "../policy/language.ts";
import { globTexts } from "../policy/query-match.ts";
import { distinct } from "./distinct.ts";

/** One form for every way to write an endpoint: what is left out or written as its default, the same. */
export function normalEndpoint(endpoint: Endpoint): Endpoint {
  const { host, path, protocol, tls, access, rules, deny_rules: denies, allowed_ips: ranges } = endpoint;
  const {
    enforcement = "enforce",
    allow_encoded_slash: encodedSlash,
    credential_binding: binding,
  } = endpoint;
  const all = path === "" || path === "**" || path === "/**";
  return {
    ...(host === undefined ? {} : { host: normalHost(host) }),
    ports: [...endpointPorts(endpoint)],
    ...(path === undefined || all ? {} : { path }),
    ...(protocol === undefined || protocol === "" ? {} : { protocol }),
    ...(tls === undefined || tls === "" ? {} : { tls }),
    enforcement,
    // Without rest, full is what an endpoint is.
    ...(access === undefined || protocol !== "rest" ? {} : { access }),
    ...(rules && { rules: distinct(rules.map(({ allow }) => ({ allow: normalMatcher(allow) }))) }),
    ...(denies && { deny_rules: distinct(denies.map(normalMatcher)) }),
    ...(ranges && { allowed_ips: distinct(ranges.map(normalRange)) }),
    ...(encodedSlash === true ? { allow_encoded_slash: true } : {}),
    ...(binding && { credential_binding: bindingOf(binding) }),
  };
}

function normalHost(host: string): string {
  const pattern = parseHostPattern(host);
  return "text" in pattern ? pattern.text : host.toLowerCase();
}

/** Every path starts with a slash, so `**` is `/**`. */
function normalMatcher({ method, path, query = {} }: RequestMatcher): RequestMatcher {
  const parameters = Object.entries(query).map(([name, matcher]) => [name, normalGlobs(matcher)] as const);
  return {
    method: method.toUpperCase(),
    path: path === "**" ? "/**" : path,
    ...(parameters.length === 0 ? {} : { query: Object.fromEntries(parameters) }),
  };
}

function normalGlobs(matcher: QueryMatcher): QueryMatcher {
  const globs = distinct(globTexts(matcher).map((glob) => glob.replaceAll("**", "*")));
  return globs.length === 1 ? (globs[0] ?? "") : { any: globs };
}

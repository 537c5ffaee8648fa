import type { Catalogue } from "./blueprint.ts";
import { credentialFindings } from "./credentials.ts";
import type { ProviderDocument } from "./inference.ts";
import { notYet } from "./later.ts";
import { nearest } from "./nearest.ts";
import type { Finding, Path } from "./problem.ts";
import { bytesOf } from "./quantities.ts";
import { ruleFindings } from "./rules.ts";
import type { AgentDocument, BlueprintDocument } from "./schema.ts";

/** What the schema cannot say: names that must exist, fields that exclude each other, what is not enforced yet. */
export function checkDocument(document: BlueprintDocument, catalogue: Catalogue): Finding[] {
  const { routes = {}, providers = {} } = document.inference ?? {};
  const found: Finding[] = [];
  for (const [name, agent] of Object.entries(document.agents)) {
    const path = ["agents", name];
    found.push(...checkAgent(agent, path), ...checkNames(agent, path, catalogue));
    if (agent.isolation !== undefined && agent.isolation !== "kernel") {
      const later = notYet(`no target runs ${agent.isolation} yet`, "write isolation: kernel, or remove it");
      found.push({ path: [...path, "isolation"], ...later });
    }
    if (agent.inference !== undefined && !Object.hasOwn(routes, agent.inference)) {
      found.push(unknownName([...path, "inference"], "route", agent.inference, Object.keys(routes)));
    }
  }
  for (const [name, route] of Object.entries(routes)) {
    const path = ["inference", "routes", name];
    for (const [index, provider] of route.try.entries()) {
      if (Object.hasOwn(providers, provider)) continue;
      found.push(unknownName([...path, "try", index], "provider", provider, Object.keys(providers)));
    }
    found.push(...checkTry(route.try, path));
    if (route.budget !== undefined) {
      found.push({
        path: [...path, "budget"],
        key: true,
        ...notYet("tokens are not metered", "remove budget"),
      });
    }
  }
  for (const [name, provider] of Object.entries(providers)) {
    found.push(...checkProvider(provider, ["inference", "providers", name]));
  }
  found.push(...credentialFindings(document.credentials ?? {}, ["credentials"]));
  return found;
}

/** Only one provider is asked yet: a second would be named and never used. */
export function checkTry(names: readonly string[], path: Path): Finding[] {
  const [first = "", second] = names;
  if (second === undefined) return [];
  const later = notYet("a route falls back to no second provider", `keep one: try: [${first}]`);
  return [{ path: [...path, "try", 1], ...later }];
}

/** What holds for an agent whatever is known by name. */
export function checkAgent(agent: AgentDocument, path: Path): Finding[] {
  const found: Finding[] = [];
  if (agent.kit !== undefined && agent.command !== undefined) {
    const fix = "remove one of the two";
    found.push({ path: [...path, "command"], key: true, reason: "both kit and command are given", fix });
  }
  if (agent.kit === undefined && agent.command === undefined) {
    found.push({
      path: [...path, "kit"],
      reason: "is missing",
      fix: "add kit: openclaw, or command: [node, server.js]",
    });
  }
  found.push(...checkEnvironmentVariables(agent, path), ...checkTwice(agent, path));
  if (typeof agent.policy === "object") found.push(...ruleFindings(agent.policy, [...path, "policy"]));
  return [...found, ...checkResources(agent, path)];
}

function checkResources({ resources = {} }: AgentDocument, path: Path): Finding[] {
  const found: Finding[] = [];
  const memory = resources.memory === undefined ? undefined : bytesOf(resources.memory);
  if (memory !== undefined && memory < 16 * 2 ** 20) {
    const fix = `write ${resources.memory ?? ""}Gi, or what the agent needs`;
    const reason = `${memory} bytes is too little for any program`;
    found.push({
      path: [...path, "resources", "memory"],
      reason,
      fix: /^\d+$/.test(String(resources.memory)) ? fix : "write 512Mi",
    });
  }
  if (resources.egressPerDay !== undefined) {
    const later = notYet("the egress keeps no count over a day", "remove egressPerDay");
    found.push({ path: [...path, "resources", "egressPerDay"], key: true, ...later });
  }
  return found;
}

function checkEnvironmentVariables(agent: AgentDocument, path: Path): Finding[] {
  if (agent.env === undefined) return [];
  if (agent.command === undefined) {
    const fix = "remove env: a kit sets its own variables";
    return [{ path: [...path, "env"], key: true, reason: "only a command takes variables", fix }];
  }
  return Object.keys(agent.env)
    .filter(looksSecret)
    .map((name) => ({
      path: [...path, "env", name],
      key: true,
      reason: "looks like a secret, and a secret never enters the sandbox",
      fix: `remove it; map the secret with nacre secret set, and name it where it is used`,
    }));
}

/** By the last word of the name: `API_KEY`, `GITHUB_TOKEN`; not `TOKENIZERS_PARALLELISM`. */
function looksSecret(name: string): boolean {
  const last = name.toUpperCase().split("_").at(-1) ?? "";
  return ["TOKEN", "KEY", "APIKEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS"].includes(
    last,
  );
}

function checkTwice(agent: AgentDocument, path: Path): Finding[] {
  const lists = { presets: agent.presets ?? [], ports: agent.ports ?? [], persist: agent.persist ?? [] };
  return Object.entries(lists).flatMap(([field, list]: [string, readonly (string | number)[]]) =>
    list.flatMap((item, index) => {
      if (list.indexOf(item) === index) return [];
      return [
        { path: [...path, field, index], reason: `${item} is named twice`, fix: "remove one of the two" },
      ];
    }),
  );
}

/** Names that are looked up in the catalogue. */
function checkNames(agent: AgentDocument, path: Path, { kits, presets }: Catalogue): Finding[] {
  const found: Finding[] = [];
  if (agent.kit !== undefined && !Object.hasOwn(kits, agent.kit)) {
    found.push(unknownName([...path, "kit"], "kit", agent.kit, Object.keys(kits)));
  }
  for (const [index, name] of (agent.presets ?? []).entries()) {
    if (Object.hasOwn(presets, name)) continue;
    const here = [...path, "presets", index];
    found.push(unknownName(here, "preset", name, Object.keys(presets)));
  }
  return found;
}

function unknownName(path: Path, what: string, written: string, valid: readonly string[]): Finding {
  const meant = nearest(written, valid);
  const others =
    valid.length === 0 ? `define it: there is no ${what} yet` : `the ${what}s are ${valid.join(", ")}`;
  const fix = meant === undefined ? others : `write ${meant}`;
  return { path, reason: `there is no ${what} ${written}`, nearest: meant, fix };
}

/** What a provider needs, and what it must not have. */
export function checkProvider(provider: ProviderDocument, path: Path): Finding[] {
  const found: Finding[] = [];
  if (provider.kind === "demo") {
    for (const field of ["endpoint", "credential"] as const) {
      if (provider[field] === undefined) continue;
      const reason = `the demo model runs inside Nacre and has no ${field}`;
      found.push({ path: [...path, field], key: true, reason, fix: `remove ${field}` });
    }
    return found;
  }
  if (provider.kind === "openai" && provider.model === undefined) {
    found.push({
      path: [...path, "model"],
      reason: "is missing",
      fix: "add model: and a name that the provider lists",
    });
  }
  if (provider.credential === undefined && (provider.kind === "nvidia" || provider.endpoint === undefined)) {
    const reason = "is missing: this provider answers nobody without a key";
    found.push({ path: [...path, "credential"], reason, fix: `add credential: ${provider.kind}` });
  }
  const url = provider.endpoint === undefined ? undefined : checkEndpoint(provider.endpoint);
  if (typeof url === "object") found.push({ path: [...path, "endpoint"], ...url });
  else if (url === "http:" && provider.credential !== undefined) {
    const reason = "a credential is never sent without TLS";
    found.push({ path: [...path, "endpoint"], reason, fix: "write https://, or remove credential" });
  }
  return found;
}

/** The scheme of a base URL, or what is wrong with it. */
function checkEndpoint(written: string): "http:" | "https:" | { reason: string; fix: string } {
  const example = "write, for example, http://127.0.0.1:11434/v1";
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url === undefined) return { reason: `${JSON.stringify(written)} is not a URL`, fix: example };
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { reason: `${url.protocol} is not a scheme of an inference service`, fix: example };
  }
  if (url.username !== "" || url.password !== "") {
    return {
      reason: "a secret never stands in a blueprint",
      fix: "remove the part before @, and name a credential",
    };
  }
  if (url.search !== "" || url.hash !== "") {
    return { reason: "a base URL has no query and no fragment", fix: `write ${url.origin}${url.pathname}` };
  }
  return url.protocol;
}

import { readdirSync, readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import type { Layers } from "../../lib/policy/compile.ts";
import type { Decision, Destination, HttpRequest, Query } from "../../lib/policy/decision.ts";
import type { Library } from "./library.ts";

/** One case, by the file that it stands in and what it asks; `wrong` says how the library answers otherwise. */
export interface Result {
  readonly file: string;
  readonly name: string;
  readonly wrong: string | undefined;
}

const folder = import.meta.dirname;
const load = (file: string): any => parse(readFileSync(`${folder}/${file}`, "utf8"));

/** Every case of every data file, against a library. HTTP framing is the wire's, and checked there. */
export function resultsOf(library: Library): Result[] {
  return [
    ...decisions(library),
    ...lint(library),
    ...canonicalPaths(library),
    ...queries(library),
    ...hosts(library),
    ...globs(library),
    ...addresses(library),
  ];
}

const result = (file: string, name: string, found: unknown, expected: unknown): Result => {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  return { file, name, wrong: a === b ? undefined : `is ${a}, should be ${b}` };
};

const brief = (raw: string): string =>
  raw.length > 60 ? `${JSON.stringify(raw.slice(0, 20))} of ${raw.length}` : JSON.stringify(raw);

function decisions(library: Library): Result[] {
  return readdirSync(`${folder}/decisions`)
    .sort()
    .flatMap((name) =>
      load(`decisions/${name}`).flatMap((group: any) => decisionGroup(library, name, group)),
    );
}

function decisionGroup(library: Library, name: string, group: any): Result[] {
  const layers: Layers = {
    base: library.networkPoliciesSchema.parse(group.policy ?? presets(group.presets)),
    allows: group.allows ?? [],
    blocks: group.blocks ?? [],
  };
  const policy = library.compile(layers);
  return group.cases.map((wanted: any) => {
    const title = `${wanted.ask ?? `${wanted.at} ${JSON.stringify(wanted.what)}`} ${wanted.from ?? ""}: ${wanted.why}`;
    const { where, what } = wanted.ask === undefined ? partly(wanted) : asked(library, wanted.ask);
    const file = `decisions/${name}`;
    if (what === "refused") return result(file, title, "refused", wanted.expect);
    const found = library.decide(policy, { binary: wanted.from }, where, what);
    return result(file, title, shown(found, wanted), expected(wanted));
  });
}

/** The rules of presets that ship, together. */
function presets(names: readonly string[]): object {
  const rules = names.flatMap((name) => {
    const { network_policies } = parse(readFileSync(`${folder}/../../policies/presets/${name}.yaml`, "utf8"));
    return Object.entries(network_policies).map(([id, rule]: [string, any]) => [
      id,
      { ...rule, endpoints: rule.endpoints.map(({ reason: _reason, ...endpoint }: any) => endpoint) },
    ]);
  });
  return Object.fromEntries(rules);
}

/** `GET https://host:port/path?query`, or `host:port` for a connection alone. */
function asked(library: Library, ask: string): { where: Destination; what?: HttpRequest | "refused" } {
  const match = /^(?:([A-Z]+) (https?):\/\/)?(\[[^\]]*\]|[^/:?]+)(?::(\d+))?(\/[^?]*)?(?:\?(.*))?$/.exec(ask);
  if (match === null) throw new Error(`cannot read ${ask}`);
  const [, method, scheme, host = "", port, raw = "", query = ""] = match;
  const where = { host: host.replace(/[[\]]/g, ""), port: Number(port ?? (scheme === "http" ? 80 : 443)) };
  if (method === undefined) return { where };
  const canonical = library.canonicalPath(raw, { encodedSlash: true });
  if (!("path" in canonical)) return { where, what: "refused" };
  return { where, what: { method, path: canonical.path, query: library.readQuery(query) } };
}

function partly({ at, what }: any): { where: Destination; what: HttpRequest } {
  const [host = "", port] = String(at).split(":");
  return { where: { host, port: Number(port) }, what };
}

/** Only what the case names is compared. */
function shown(decision: Decision, wanted: any): object {
  const fields = decision as any;
  const oneOf = (field: string): any =>
    String(wanted[field]).split("|").includes(fields[field]) ? wanted[field] : fields[field];
  return {
    expect: decision.verdict,
    ...("rule" in wanted && { rule: oneOf("rule") }),
    ...("layer" in wanted && { layer: fields.layer }),
    ...("inspect" in wanted && { inspect: fields.inspect }),
    ...("credential" in wanted && { credential: fields.credential?.provider ?? null }),
    ...("bound" in wanted && { bound: fields.bound === true }),
    ...("within" in wanted && { within: fields.within !== undefined }),
    ...("says" in wanted && {
      says: String(wanted.says)
        .split("|")
        .some((piece) => fields.reason?.includes(piece))
        ? wanted.says
        : fields.reason,
    }),
  };
}

function expected(wanted: any): object {
  const names = ["rule", "layer", "inspect", "credential", "bound", "within", "says"];
  return {
    expect: wanted.expect,
    ...Object.fromEntries(names.filter((name) => name in wanted).map((name) => [name, wanted[name]])),
  };
}

function lint(library: Library): Result[] {
  return load("lint.yaml").map((wanted: any) => {
    const { errors, warnings } = library.examinePolicy(textOf(wanted), "policy.yaml");
    const name = `${wanted.why}: ${JSON.stringify({ ...wanted, why: undefined })}`;
    const [kind, list, other] =
      wanted.warning === undefined ? ["error", errors, warnings] : ["warning", warnings, errors];
    const [field, piece] = wanted[kind] ?? [];
    const hit = list.some(
      ({ path, reason, fix }) => endsWith(path, field) && reason.includes(piece) && fix !== "",
    );
    const good = field === undefined ? list.length === 0 && other.length === 0 : hit && other.length === 0;
    const found = [...errors, ...warnings].map(({ path, reason }) => `${path}: ${reason}`);
    return { file: "lint.yaml", name, wrong: good ? undefined : `finds ${JSON.stringify(found)}` };
  });
}

/** A field below the place that the case is about; the empty one is the document itself. */
const endsWith = (path: string, field: string | undefined): boolean =>
  field !== undefined && (field === "" ? path === "" : path.endsWith(field));

function textOf(wanted: any): string {
  if (wanted.text !== undefined) return wanted.text;
  if (wanted.paths !== undefined) {
    const lists = Object.entries(wanted.paths as Record<string, number>).map(([list, count]) => [
      list,
      Array.from({ length: count }, (_, index) => `/${list}/${index}`),
    ]);
    return stringify({ version: 1, filesystem_policy: Object.fromEntries(lists) });
  }
  const allowing = wanted.allow && {
    host: "a.example.com",
    port: 443,
    protocol: "rest",
    rules: [{ allow: wanted.allow }],
  };
  const endpoint = wanted.endpoint ?? allowing;
  const rule = wanted.rule ?? (endpoint && { endpoints: [endpoint] });
  const rules = wanted.rules ?? (rule && { x: rule });
  return stringify({ version: 1, ...wanted.policy, ...(rules && { network_policies: rules }) });
}

function canonicalPaths(library: Library): Result[] {
  const of = (raw: string, encodedSlash: boolean): string => {
    const found = library.canonicalPath(raw, { encodedSlash });
    return "path" in found ? found.path : "refused";
  };
  return load("canonical-paths.yaml").flatMap((group: any) => {
    const slash = group.slash === true;
    const cases: [string, string][] = [
      ...(group.cases ?? []),
      ...(group.same ?? []).map((path: string) => [path, path]),
      ...(group.refused ?? []).map((path: string) => [path, "refused"]),
      ...(group.refused_length ?? []).map((length: number) => [`/${"a".repeat(length - 1)}`, "refused"]),
    ];
    for (const length of group.accepted_length ?? []) {
      const path = `/${"a".repeat(length - 1)}`;
      cases.push([path, path]);
    }
    return cases.map(([raw, path]) => {
      const name = `${brief(raw)}${slash ? " (slash)" : ""}: ${group.why}`;
      const found = of(raw, slash);
      // Canonical forms are fixed points.
      const again = found === "refused" ? found : of(found, slash);
      return result("canonical-paths.yaml", name, [found, again], [path, path]);
    });
  });
}

function queries(library: Library): Result[] {
  return load("queries.yaml").map((wanted: any) => {
    const raw: string = wanted.raw ?? `${wanted.repeat.repeat(wanted.times)}`.replace(/&$/, "");
    const found: Query = library.readQuery(raw);
    const plain = found === "unreadable" ? found : wanted.is === "long" ? "long" : [...found];
    const is = typeof wanted.is === "string" ? wanted.is : Object.entries(wanted.is);
    return result("queries.yaml", `${brief(raw)}: ${wanted.why}`, plain, is);
  });
}

function hosts(library: Library): Result[] {
  return load("hosts.yaml").flatMap((wanted: any) => {
    const parsed = library.parseHostPattern(wanted.pattern);
    const name = `${wanted.pattern}: ${wanted.why}`;
    if (wanted.refused !== undefined) {
      const reason = "reason" in parsed ? parsed.reason : "accepted";
      return [
        result("hosts.yaml", name, reason.includes(wanted.refused) ? wanted.refused : reason, wanted.refused),
      ];
    }
    const trie = new library.HostTrie<true>();
    if ("reason" in parsed) return [result("hosts.yaml", name, parsed.reason, "accepted")];
    trie.at(parsed, () => true);
    const check = (host: string, matches: boolean): Result =>
      result("hosts.yaml", `${host} ${name}`, trie.matching(host).length > 0, matches);
    return [
      ...wanted.matches.map((host: string) => check(host, true)),
      ...wanted.differs.map((host: string) => check(host, false)),
    ];
  });
}

function globs(library: Library): Result[] {
  return load("globs.yaml").flatMap((wanted: any) => {
    const matches = library.glob(wanted.glob, "/");
    const check = (path: string, is: boolean): Result =>
      result("globs.yaml", `${path} ${wanted.glob}: ${wanted.why}`, matches(path), is);
    return [
      ...wanted.matches.map((path: string) => check(path, true)),
      ...wanted.differs.map((path: string) => check(path, false)),
    ];
  });
}

/** The table that `test/policy` has too. */
function addresses(library: Library): Result[] {
  return load("../policy/addresses.json").flatMap((row: any) =>
    row.addresses.map((address: string) =>
      result("addresses.json", `${address}: ${row.why}`, library.classOf(address) ?? null, row.class),
    ),
  );
}

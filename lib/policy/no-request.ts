import type { Denied, Destination, Fix, HttpRequest, RuleId } from "./decision.ts";
import { allowFix, allowQueryFix, shownPath } from "./fix.ts";
import { hasMethod, type Methods } from "./http-method.ts";
import { applies, type Asking, type Entry, type Place, type RequestRule } from "./place.ts";

/** What comes nearest to allowing a request, and where it falls short. */
type Near =
  | { readonly by: "method"; readonly rule: RuleId; readonly methods: Set<string> }
  | { readonly by: "query" | "slash"; readonly rule: RuleId; readonly names: readonly string[] };

/** The denial of a request that nothing allows: says what is allowed nearest. */
export function noRequest(
  places: readonly Place[],
  opened: RuleId,
  asking: Asking,
  where: Destination,
  what: HttpRequest,
): Denied {
  const near = nearestOf(places, asking, what);
  const rule = near?.rule ?? opened;
  const [reason, fix] = explained(near, rule, asking, where, what);
  return { verdict: "deny", rule, layer: "http", reason, fix };
}

function explained(
  near: Near | undefined,
  rule: RuleId,
  { binary }: Asking,
  where: Destination,
  what: HttpRequest,
): readonly [string, Fix] {
  const { method, path } = what;
  const allow = allowFix(where, binary, what);
  if (method === undefined || path === undefined) {
    const lacks = method === undefined ? "method" : "path";
    return [
      `the ${lacks} of the request is not known, and no rule allows it without`,
      { text: fixOfUnknown },
    ];
  }
  switch (near?.by) {
    case "slash":
      return [
        `the path has an encoded slash (%2F), and no endpoint of rule ${rule} takes one`,
        { ...allow, text: `write allow_encoded_slash: true at the endpoint of rule ${rule} that is meant` },
      ];
    case "query":
      return what.query === "unreadable"
        ? [`the query can be read in more than one way, and rule ${rule} decides by it`, { text: fixOfQuery }]
        : [
            near.names.length === 0
              ? `rule ${rule} allows ${method} here with one query only, and this is another`
              : `rule ${rule} allows ${method} here only with certain values of ${near.names.join(", ")} in its query`,
            allowQueryFix(where, binary, what),
          ];
    case "method":
      return [`rule ${rule} allows ${[...near.methods].join(", ")} here, not ${method}`, allow];
    default:
      return [`no rule allows ${method} ${shownPath(path)} of ${where.host}`, allow];
  }
}

const fixOfUnknown = "give the method and the path";
const fixOfQuery = "send a query without ; and with escapes of UTF-8 only";

/** In order of nearness: all but the slash, all but the query, all but the method. */
function nearestOf(places: readonly Place[], asking: Asking, what: HttpRequest): Near | undefined {
  const { method, path } = what;
  if (method === undefined || path === undefined) return undefined;
  const escaped = path.includes("%2F");
  let slash: Near | undefined;
  let query: Near | undefined;
  let other: { rule: RuleId; methods: Set<string> } | undefined;
  const see = (entry: Entry, methods: Methods, parameters: RequestRule["parameters"]): void => {
    if (entry.selects?.(path) === false || !applies(entry, asking)) return;
    if (escaped && !entry.encodedSlash) {
      if (hasMethod(methods, method)) slash ??= { by: "slash", rule: entry.rule, names: [] };
    } else if (hasMethod(methods, method)) {
      query ??= { by: "query", rule: entry.rule, names: parameters.map(({ name }) => name) };
    } else if (methods !== "any") {
      other ??= { rule: entry.rule, methods: new Set() };
      if (other.rule === entry.rule) for (const one of methods) other.methods.add(one);
    }
  };
  for (const place of places) {
    for (const entry of place.plain) see(entry, "any", []);
    place.allows?.visit(path, ({ entry, methods, parameters }) => see(entry, methods, parameters));
  }
  return slash ?? query ?? (other && { by: "method", ...other });
}

import type { Audited, Decision, Destination, HttpRequest, RuleId, Terms } from "./decision.ts";
import { shownPath } from "./fix.ts";
import { hasMethod } from "./http-method.ts";
import { noRequest } from "./no-request.ts";
import { applies, type Asking, type Entry, mayApply, type Place, type RequestRule } from "./place.ts";
import { isQuery } from "./query.ts";
import { allAllowed, anyDenied } from "./query-match.ts";

/**
 * One request on a connection that is inspected. In this order: a deny rule (of any endpoint of this host and port
 * that applies), a deny rule of an endpoint in audit, what allows, an endpoint in audit, no.
 *
 * @param places the most specific host pattern first
 * @param opened the rule that opened the connection, named where no other can be
 */
export function decideRequest(
  places: readonly Place[],
  opened: RuleId,
  asking: Asking,
  where: Destination,
  what: HttpRequest,
): Decision {
  const bound = isBound(places, asking);
  const denied = deniedBy(places, asking, what);
  if (denied?.audit === false) return refusedBy(denied.rule, where, what);
  if (denied !== undefined) {
    const { layer, reason, fix } = refusedBy(denied.rule, where, what);
    return { ...termsOf(denied, bound), verdict: "audit", layer, reason, fix };
  }
  const allowed = allowedBy(places, asking, what);
  if (allowed !== undefined) return { verdict: "allow", ...termsOf(allowed, bound) };
  const refusal = noRequest(places, opened, asking, where, what);
  const audited = auditedBy(places, asking, what);
  if (audited === undefined) return refusal;
  const { layer, reason, fix } = refusal;
  const audit: Audited = { ...termsOf(audited, bound), verdict: "audit", layer, reason, fix };
  return audit;
}

const termsOf = ({ rule, within, credential }: Entry, bound: boolean): Terms => ({
  rule,
  inspect: "http",
  within,
  credential,
  bound: bound || undefined,
});

function isBound(places: readonly Place[], asking: Asking): boolean {
  for (const place of places) for (const entry of place.bound) if (mayApply(entry, asking)) return true;
  return false;
}

/** The endpoint of a deny rule that matches: of one that enforces, if any does. */
function deniedBy(places: readonly Place[], asking: Asking, what: HttpRequest): Entry | undefined {
  const escaped = what.path?.includes("%2F") === true;
  // Some servers take methods in any case.
  const method = what.method?.toUpperCase();
  let found: Entry | undefined;
  for (const place of places) {
    if (place.everyDeny.length === 0) continue;
    for (const path of readings(what.path)) {
      const visit = ({ entry, methods, parameters }: RequestRule): void => {
        if (found !== undefined && !deniesBefore(entry, found)) return;
        if (method !== undefined && !hasMethod(methods, method)) return;
        if (path !== undefined && entry.selectsLower?.(path) === false) return;
        // One in audit forwards what it denies: only what is wholly its own.
        const meant = entry.audit
          ? applies(entry, asking) && takes(entry, what.path, escaped)
          : mayApply(entry, asking);
        if (meant && anyDenied(parameters, what.query)) found = entry;
      };
      if (path === undefined) place.everyDeny.forEach(visit);
      else place.denies?.visit(path, visit);
    }
    if (found?.audit === false) return found;
  }
  return found;
}

const deniesBefore = (a: Entry, b: Entry): boolean =>
  a.audit === b.audit ? a.rank < b.rank : !a.audit && b.audit;

/** A path as deny rules see it: in lower case, an encoded slash as text and as a slash. */
function readings(path: string | undefined): readonly (string | undefined)[] {
  const lower = path?.toLowerCase();
  return lower?.includes("%2f") === true ? [lower, lower.replaceAll("%2f", "/")] : [lower];
}

/** The endpoint that allows it, at the most specific host pattern that has one. */
function allowedBy(
  places: readonly Place[],
  asking: Asking,
  { method, path, query }: HttpRequest,
): Entry | undefined {
  const escaped = path?.includes("%2F") === true;
  let found: Entry | undefined;
  const take = (entry: Entry): void => {
    if (found !== undefined && found.rank <= entry.rank) return;
    if (takes(entry, path, escaped) && applies(entry, asking)) found = entry;
  };
  for (const [index, place] of places.entries()) {
    place.plain.forEach(take);
    if (method !== undefined && path !== undefined) {
      place.allows?.visit(path, ({ entry, methods, parameters, exactly }) => {
        if (!hasMethod(methods, method) || !allAllowed(parameters, query)) return;
        if (exactly === undefined || isQuery(exactly, query)) take(entry);
      });
    }
    if (found !== undefined && places[index + 1]?.site !== place.site) return found;
  }
  return found;
}

function auditedBy(places: readonly Place[], asking: Asking, { path }: HttpRequest): Entry | undefined {
  const escaped = path?.includes("%2F") === true;
  let found: Entry | undefined;
  for (const [index, place] of places.entries()) {
    for (const entry of place.audited) {
      if (found !== undefined && found.rank <= entry.rank) continue;
      if (takes(entry, path, escaped) && applies(entry, asking)) found = entry;
    }
    if (found !== undefined && places[index + 1]?.site !== place.site) return found;
  }
  return found;
}

/** Whether a path is an endpoint's at all. */
const takes = (entry: Entry, path: string | undefined, escaped: boolean): boolean =>
  (!escaped || entry.encodedSlash) &&
  (entry.selects === undefined || (path !== undefined && entry.selects(path)));

function refusedBy(
  rule: RuleId,
  where: Destination,
  what: HttpRequest,
): Extract<Decision, { verdict: "deny" }> {
  const { method = "a method that is not known", path = "a path that is not known" } = what;
  return {
    verdict: "deny",
    rule,
    layer: "http",
    reason: `rule ${rule} denies ${method} ${shownPath(path)} of ${where.host}`,
    fix: { text: `none but a change of the deny rules of ${rule}: they are over everything that allows` },
  };
}

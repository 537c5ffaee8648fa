import {
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  type Document,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { z } from "zod";
import { NacreError } from "../error.ts";
import type { Endpoint } from "../policy/language.ts";
import { endpointSchema, networkRuleSchema, requestMatcherSchema } from "../policy/language.ts";
import { canonicalJson } from "./canonical.ts";
import { normalEndpoint } from "./normal-endpoint.ts";
import { policyDocumentSchema, type PolicyDocument } from "./policy-document.ts";
import { examinePolicy } from "./policy-file.ts";
import { problemsError } from "./problem.ts";
import { mergeRules } from "./rules.ts";
import { fieldsOf, schemaAt } from "./shape.ts";

/**
 * One text for one meaning, as far as comments allow: fields in the order of the reference, rules by id, lists whose
 * order has no meaning sorted, methods and hosts in their one spelling, what is left out as it is meant. Comments stay
 * with what they stand at. Formatting twice changes nothing more, and never the meaning.
 *
 * @throws NacreError `invalid_file` where the policy has errors
 */
export function formatPolicy(text: string, file: string): string {
  const { policy, errors } = examinePolicy(text, file);
  if (policy === undefined) throw problemsError("invalid_file", errors);
  const formatted = once(text);
  const again = examinePolicy(formatted, file).policy;
  if (again === undefined || meaningOf(again) !== meaningOf(policy))
    throw new NacreError({
      code: "format_failed",
      subject: file,
      message: "its formatted text would mean something else",
      hint: "leave it as it is, and report this file",
    });
  return formatted;
}

/** What a policy says, in one text: equal for every way to write it. */
export function meaningOf(policy: PolicyDocument): string {
  const { filesystem_policy: files = {}, network_policies: rules = {}, ...rest } = policy;
  const sorted = (paths: readonly string[] = []): string[] => [...new Set(paths)].sort();
  return canonicalJson({
    ...rest,
    filesystem_policy: {
      include_workdir: files.include_workdir === true,
      read_only: sorted(files.read_only),
      read_write: sorted(files.read_write),
    },
    network_policies: mergeRules(rules, []).rules,
  });
}

function once(text: string): string {
  const document = parseDocument(text);
  const { contents: root } = document;
  if (!isMap(root)) return text;
  order(root, fieldsOf(policyDocumentSchema));
  for (const { key, value } of root.items) {
    const field = fieldOf(policyDocumentSchema, key);
    if (isMap(value) && field !== undefined && keyOf({ key }) !== "network_policies") {
      settle(value);
      order(value, fieldsOf(field));
    }
  }
  const files = root.get("filesystem_policy");
  if (isMap(files)) {
    for (const list of ["read_only", "read_write"]) sortList(files.get(list));
  }
  const rules = root.get("network_policies");
  if (isMap(rules)) formatRules(document, rules);
  return document.toString({ lineWidth: 110 });
}

function formatRules(document: Document, rules: YAMLMap): void {
  settle(rules);
  rules.items.sort((a, b) => compare(keyOf(a), keyOf(b)));
  for (const pair of rules.items) {
    const rule = pair.value;
    if (!isMap(rule)) continue;
    if (rule.get("name") === keyOf(pair)) rule.delete("name");
    settle(rule);
    order(rule, fieldsOf(networkRuleSchema));
    sortList(rule.get("binaries"));
    const endpoints = rule.get("endpoints");
    if (!isSeq(endpoints)) continue;
    for (const endpoint of endpoints.items) if (isMap(endpoint)) formatEndpoint(document, endpoint);
    sortList(endpoints);
  }
}

/** Each field as `normalEndpoint` has it; nodes that already say so stay, with their comments. */
function formatEndpoint(document: Document, endpoint: YAMLMap): void {
  const { ports = [], ...normal } = normalEndpoint(endpoint.toJS(document) as Endpoint);
  const [port] = ports;
  const wanted: Record<string, unknown> = { ...normal, ...(ports.length === 1 ? { port } : { ports }) };
  for (const list of ["rules", "deny_rules"]) {
    const matchers = endpoint.get(list);
    if (isSeq(matchers)) formatMatchers(document, matchers, list === "rules");
    if (matchers !== undefined) Reflect.deleteProperty(wanted, list);
  }
  for (const { key } of [...endpoint.items]) {
    const name = String(isScalar(key) ? key.value : key);
    if (name !== "rules" && name !== "deny_rules" && !(name in wanted)) endpoint.delete(name);
  }
  for (const [name, value] of Object.entries(wanted)) replace(document, endpoint, name, value);
  orderWithin(endpoint, endpointSchema);
}

function formatMatchers(document: Document, matchers: YAMLSeq, wrapped: boolean): void {
  const field = wrapped ? "rules" : "deny_rules";
  for (const item of matchers.items) {
    const matcher = wrapped && isMap(item) ? item.get("allow") : item;
    if (!isMap(matcher)) continue;
    const written = matcher.toJS(document) as object;
    const one = { port: 1, [field]: [wrapped ? { allow: written } : written] } as Endpoint;
    const { rules, deny_rules: denies } = normalEndpoint(one);
    const normal = rules?.[0]?.allow ?? denies?.[0] ?? {};
    if (!("query" in normal)) matcher.delete("query");
    for (const [name, value] of Object.entries(normal)) replace(document, matcher, name, value);
    const query = matcher.get("query");
    if (isMap(query)) query.items.sort((a, b) => compare(keyOf(a), keyOf(b)));
    if (wrapped) settle(matcher);
    order(matcher, fieldsOf(requestMatcherSchema));
  }
  sortList(matchers);
}

/** Sets a field where it says something else; a scalar keeps its node, and so its comment. */
function replace(document: Document, map: YAMLMap, name: string, value: unknown): void {
  const node = map.get(name, true) as unknown;
  const now: unknown = isMap(node) || isSeq(node) ? node.toJS(document) : isScalar(node) ? node.value : node;
  if (now !== undefined && canonicalJson(now) === canonicalJson(value)) return;
  if (isScalar(node) && typeof value !== "object") node.value = value;
  else map.set(name, document.createNode(value, { flow: true }));
}

/** The same, of an endpoint, down to its binding: whatever in it is an object. */
function orderWithin(map: YAMLMap, schema: z.core.$ZodType): void {
  order(map, fieldsOf(schema));
  for (const { key, value } of map.items) {
    const field = fieldOf(schema, key);
    if (isMap(value) && field !== undefined) orderWithin(value, field);
  }
}

const fieldOf = (schema: z.core.$ZodType, key: unknown): z.core.$ZodType | undefined =>
  schemaAt(schema, [keyOf({ key })]);

/** The pairs of a map in the order of the reference. */
function order(map: YAMLMap, fields: readonly string[]): void {
  map.items.sort((a, b) => fields.indexOf(keyOf(a)) - fields.indexOf(keyOf(b)));
}

/** A list whose order has no meaning: by its items' text, each once. */
function sortList(list: unknown): void {
  if (!isSeq(list)) return;
  settle(list);
  const keyed = list.items.map((item) => ({ item, text: canonicalJson(plainOf(item)) }));
  keyed.sort((a, b) => compare(a.text, b.text));
  list.items = keyed.filter(({ text }, index) => keyed[index - 1]?.text !== text).map(({ item }) => item);
}

/**
 * The comment before the first item of a field's collection is read as the collection's: it goes where its item goes.
 * (That of a list's item is its own, and the file's head stays its head.)
 */
function settle(collection: YAMLMap | YAMLSeq): void {
  const first: unknown = collection.items[0];
  const node = isPair(first) ? first.key : first;
  if (collection.flow === true || collection.commentBefore == null || !isNode(node)) return;
  node.commentBefore = collection.commentBefore;
  collection.commentBefore = null;
}

function plainOf(node: unknown): unknown {
  if (isMap(node) || isSeq(node)) return node.toJSON() as unknown;
  return isScalar(node) ? node.value : node;
}

const keyOf = ({ key }: Pick<Pair, "key">): string => String(isScalar(key) ? key.value : key);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

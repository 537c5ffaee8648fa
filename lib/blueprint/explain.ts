import { stringify } from "yaml";
import { z } from "zod";
import { candidates } from "./candidates.ts";
import { laterField, laterValue } from "./later.ts";
import { nearest } from "./nearest.ts";
import { renderPath, type Finding, type Path } from "./problem.ts";
import { fieldsOf, notesOf, schemaAt, unspokenAt } from "./shape.ts";

type Issue = z.core.$ZodIssue;

/** What `schema` has against `value`, one finding a place, each with the smallest change that satisfies it. */
export function findings(schema: z.ZodType, value: unknown): Finding[] {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return [];
  const found = new Map<string, Finding>();
  for (const finding of result.error.issues.flatMap((issue) => explain(schema, issue, []))) {
    const place = `${renderPath(finding.path)}${finding.key === true ? " key" : ""}`;
    if (!found.has(place)) found.set(place, finding);
  }
  return [...found.values()];
}

function explain(schema: z.ZodType, issue: Issue, prefix: Path): Finding[] {
  const path = [...prefix, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  const unspoken = unspokenAt(schema, path);
  if (unspoken !== undefined && (issue.input !== undefined || unspoken.path.length < path.length))
    return [{ ...unspoken, reason: reasonWithout(issue) }];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(schema, path, key));
  if (issue.code === "invalid_union") {
    const branch = issue.errors.find(
      (errors) => !errors.some((error) => error.path.length === 0 && isType(error)),
    );
    if (branch !== undefined) return branch.flatMap((error) => explain(schema, error, path));
  }
  if (issue.code === "invalid_key") {
    const reason = mustBe(issue.issues[0]?.message ?? issue.message, issue.input);
    return [
      {
        path,
        key: true,
        reason: `the name ${reason}`,
        fix: fixFor(nameOf(schema, path), issue.input, issue),
      },
    ];
  }
  const field = schemaAt(schema, path);
  if (issue.input === undefined) return [missing(path, field)];
  if (issue.code === "invalid_value")
    return [wrongChoice(path, issue.values.map(String), issue.input, field)];
  return [{ path, reason: reasonFor(issue), fix: fixFor(field, issue.input, issue) }];
}

const isType = (issue: Issue): boolean => issue.code === "invalid_type";

/** The reason without what stands there. */
function reasonWithout(issue: Issue): string {
  if (issue.code === "unrecognized_keys") return "has an unknown field";
  if (issue.code !== "invalid_key") return reasonFor({ ...issue, input: undefined });
  return `a name in it ${mustBe(issue.issues[0]?.message ?? issue.message, undefined)}`;
}

function unknownKey(schema: z.ZodType, path: Path, key: string): Finding {
  const later = laterField(path, key);
  if (later !== undefined) return { path: [...path, key], key: true, reason: later.reason, fix: later.fix };
  const valid = fieldsOf(schemaAt(schema, path) ?? schema);
  const meant = nearest(key, valid);
  const within = valid.find((field) => {
    const inner = schemaAt(schema, [...path, field]);
    return inner !== undefined && fieldsOf(inner).includes(key);
  });
  const fix =
    meant !== undefined
      ? `write ${meant}`
      : within !== undefined
        ? `write it in ${within}: { ${key}: … }`
        : `remove it; the fields here are ${valid.join(", ")}`;
  return { path: [...path, key], key: true, reason: "unknown field", nearest: meant, fix };
}

function missing(path: Path, field: z.core.$ZodType | undefined): Finding {
  const name = String(path.at(-1) ?? "");
  const example = field === undefined ? undefined : exampleOf(field);
  const reason = path.length === 0 ? "the file is empty" : "is missing";
  const fields = field === undefined || example !== undefined ? "" : requiredOf(field);
  const value = example ?? (fields === "" ? undefined : `{ ${fields} }`);
  return { path, reason, fix: `add ${value === undefined ? name : `${name}: ${value}`}` };
}

function wrongChoice(
  path: Path,
  valid: readonly string[],
  input: unknown,
  field: z.core.$ZodType | undefined,
): Finding {
  const later = laterValue(path, input);
  if (later !== undefined) return { path, reason: later.reason, fix: later.fix };
  const named = valid.filter((value) => value !== "");
  const reason = `must be ${listed(named)}, is ${shown(input)}`;
  const near = typeof input === "string" ? nearest(input, named) : undefined;
  const isOff = input === false || (typeof input === "string" && /^(no|off|false)$/i.test(input));
  const meant = near ?? (isOff ? named.find((value) => value === "never") : undefined);
  const only = named.length === 1 ? named[0] : undefined;
  const write =
    meant ?? only ?? (field === undefined ? undefined : notesOf(field).default?.replaceAll("`", ""));
  return { path, reason, nearest: meant, fix: `write ${write ?? listed(named)}` };
}

function reasonFor(issue: Issue): string {
  if (issue.input === null) return "has no value";
  if (issue.code === "invalid_type") {
    const expected = typeName(issue.expected);
    // A value where its name and its place belong may be a secret.
    const isText = expected === "fields" && typeof issue.input === "string";
    return `must be ${expected}${isText ? ", is text" : is(issue.input)}`;
  }
  if (issue.code === "invalid_union") {
    const expected = issue.errors.flat().filter(isType);
    const names = expected.map((error) => typeName((error as { expected: string }).expected));
    return `must be ${listed([...new Set(names)])}${is(issue.input)}`;
  }
  return mustBe(messageOf(issue), issue.input);
}

/** Messages that say what a value must be, as opposed to those that say what is wrong with it. */
const MUST_BE = /^(an? |at |more |lower-case )/;

function mustBe(message: string, input: unknown): string {
  const [what] = splitFix(message);
  if (!MUST_BE.test(what)) return what;
  return what.startsWith("at ") ? `needs ${what}` : `must be ${what}${is(input)}`;
}

/** A schema's own message; where it has none, what it measures, or nothing. */
function messageOf(issue: Issue): string {
  if (!/^(Too big|Too small|Invalid \w+):/.test(issue.message)) return issue.message;
  if (issue.code === "too_big") return `at most ${issue.maximum}`;
  if (issue.code !== "too_small") return "";
  return issue.origin === "string" || issue.origin === "array"
    ? "must not be empty"
    : `at least ${issue.minimum}`;
}

function fixFor(field: z.core.$ZodType | undefined, input: unknown, issue: Issue): string {
  const [what, said] = splitFix(messageOf(issue));
  if (said !== undefined && !MUST_BE.test(what)) return said;
  if (field !== undefined) {
    const fits = (candidate: unknown): boolean => z.safeParse(field, candidate).success;
    // Where any unit would do, seconds are none.
    const fitting = candidates(input).find(
      (candidate) => fits(candidate) && !(candidate === `${String(input)}s` && fits(`${String(input)}x`)),
    );
    if (fitting !== undefined) return `write ${written(fitting)}`;
  }
  const example = said ?? (field === undefined ? undefined : exampleOf(field));
  if (input === null)
    return `give it a value${example === undefined ? "" : `, for example ${example}`}, or remove it`;
  if (example !== undefined) return `write, for example, ${example}`;
  if (issue.code === "invalid_type") {
    const fields = field === undefined || Array.isArray(input) ? "" : requiredOf(field);
    return `write ${typeName(issue.expected)}${fields === "" ? "" : `: { ${fields} }`}`;
  }
  if (what === "must not be empty") return "write a value, or remove it";
  return what.startsWith("at most") ? `shorten it: ${what}` : `write ${what}`;
}

/** The schema of a record's names. */
function nameOf(schema: z.ZodType, path: Path): z.core.$ZodType | undefined {
  const record = schemaAt(schema, path.slice(0, -1));
  const inner = record instanceof z.core.$ZodOptional ? record._zod.def.innerType : record;
  return inner instanceof z.core.$ZodRecord ? inner._zod.def.keyType : undefined;
}

/** The fields that stand in every one, as they would be written. */
function requiredOf(field: z.core.$ZodType): string {
  return fieldsOf(field)
    .flatMap((name) => {
      const inner = schemaAt(field, [name]);
      if (inner === undefined || z.safeParse(inner, undefined).success) return [];
      return `${name}: ${exampleOf(inner) ?? "…"}`;
    })
    .join(", ");
}

function exampleOf(field: z.core.$ZodType): string | undefined {
  return notesOf(field).examples?.[0];
}

/** Messages read `what it must be: an example`, or `what is wrong: the fix`. Quoted text may hold colons too. */
function splitFix(message: string): readonly [string, string | undefined] {
  const at = /: (?=[^"]*("[^"]*"[^"]*)*$)/.exec(message)?.index;
  return at === undefined ? [message, undefined] : [message.slice(0, at), message.slice(at + 2)];
}

function typeName(expected: string): string {
  const names: Record<string, string> = {
    string: "text",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    array: "a list",
    object: "fields",
    record: "fields",
  };
  return names[expected] ?? expected;
}

const is = (input: unknown): string => (input === undefined ? "" : `, is ${shown(input)}`);

function shown(input: unknown): string {
  if (Array.isArray(input)) return input.length === 0 ? "an empty list" : "a list";
  if (typeof input === "object" && input !== null)
    return Object.keys(input).length === 0 ? "empty" : "fields";
  const text = JSON.stringify(input);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1) ?? ""}`;

/** A value as it stands in YAML, on one line. */
const written = (value: unknown): string =>
  stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false }).trimEnd();

import { z } from "zod";
import type { Endpoint, NetworkPolicies, RequestMatcher } from "../policy/language.ts";
import { globTexts } from "../policy/query-match.ts";
import type { Catalogue, CredentialSpec, PresetDocument } from "./blueprint.ts";
import { overlaySchema } from "./overlay.ts";
import { policyDocumentSchema } from "./policy-document.ts";
import { placeNames } from "./preset.ts";
import { blueprintSchema } from "./schema.ts";
import { bare, notesOf, shapeOf } from "./shape.ts";

type Schema = z.core.$ZodType;

/** The reference of every field of a blueprint, in Markdown. */
export function blueprintReference(): string {
  const text =
    "A blueprint states an environment: its agents, what they may reach, and who answers their prompts.";
  return referencePage("Blueprint", text, "blueprint.yaml", blueprintSchema, policyDocumentSchema);
}

/** The reference of the policy language, as far as it is enforced. */
export function policyReference(): string {
  const text =
    "A policy file is OpenShell's `version: 1`. Fields of it that are not enforced yet are refused.";
  return referencePage("Policy", text, "policy.yaml", policyDocumentSchema);
}

/** The reference of what an environment may set for itself. */
export function overlayReference(): string {
  const text = "An overlay holds what differs between environments that run one blueprint.";
  return referencePage("Overlay", text, "overlay", overlaySchema);
}

/** The reference of the presets that ship, with each host's reason. */
export function presetReference({ presets }: Pick<Catalogue, "presets">): string {
  const text =
    "A preset is a named, reviewed piece of network policy. `presets: [npm]` adds it to an agent's policy.";
  return `# Presets\n\n${text}\n\n${Object.values(presets).map(presetSection).join("\n")}`;
}

function presetSection({ name, description, network, credentials, reasons }: PresetDocument): string {
  const rows = Object.entries(network).flatMap(([rule, { endpoints, binaries }]) =>
    endpoints.flatMap((endpoint) =>
      placeNames(endpoint).map((place) => {
        const programs = binaries?.map(({ path }) => `\`${path}\``).join(", ") ?? "any";
        return [`\`${rule}\``, `\`${place}\``, requestsOf(endpoint), programs, reasons[place] ?? ""];
      }),
    ),
  );
  const needs = Object.entries(credentials).map(([secret, spec]) => credentialText(secret, spec, network));
  return `## ${name}\n\n${[description, ...needs].join("\n\n")}\n\n${table(["rule", "host", "requests", "programs", "why"], rows)}`;
}

/** What the operator maps for it, and what the agent sees. */
function credentialText(
  secret: string,
  { as, for: hosts }: CredentialSpec,
  network: NetworkPolicies,
): string {
  const bound = Object.values(network).flatMap(({ endpoints }) =>
    endpoints.filter(({ credential_binding: binding }) => binding?.provider === secret),
  );
  const places = new Set([...bound.map(({ host = "" }) => host), ...hosts]);
  const seen = as === undefined ? "" : ` The agent sees a placeholder, as ${code(as)}.`;
  return `It carries the secret \`${secret}\`: ${code(`nacre secret set ${secret} … --for ${[...places].join(" ")}`)}.${seen}`;
}

/** What of a host an endpoint opens, in words. */
function requestsOf({
  access = "full",
  rules,
  deny_rules: denies = [],
  path = "",
  protocol,
}: Endpoint): string {
  if (protocol !== "rest") return "any";
  const request = ({ method, path: of, query }: RequestMatcher): string =>
    code(`${method} ${of}${query === undefined ? "" : `?${queryText(query)}`}`);
  const allowed = rules?.map(({ allow }) => request(allow)).join(", ") ?? access;
  const within = path === "" ? "" : ` within ${code(path)}`;
  const denied = denies.length === 0 ? "" : `, never ${denies.map(request).join(", ")}`;
  return `${allowed}${within}${denied}`;
}

/** Parameters with what they may be: `service=git-upload-pack`; of several, `service=(a|b)`. */
const queryText = (query: NonNullable<RequestMatcher["query"]>): string =>
  Object.entries(query)
    .map(([name, matcher]) => {
      const globs = globTexts(matcher);
      return `${name}=${globs.length === 1 ? (globs[0] ?? "") : `(${globs.join("|")})`}`;
    })
    .join("&");

/** One page: the whole document, then a section for each object in it; what `elsewhere` describes has its own page. */
export function referencePage(
  title: string,
  text: string,
  file: string,
  schema: Schema,
  elsewhere?: Schema,
): string {
  return `# ${title}\n\n${text}\n\n${sections(file, "", schema, "", elsewhere).join("\n")}`;
}

function sections(name: string, prefix: string, schema: Schema, notes: string, elsewhere?: Schema): string[] {
  const own = [`## \`${name}\``, notes, fieldTable(schema)].filter((part) => part !== "").join("\n\n");
  const inner = Object.entries(shapeOf(schema)).flatMap(([field, of]) => {
    const found = objectIn(of);
    if (found === undefined || found.schema === elsewhere) return [];
    const path = `${prefix}${field}${found.path}`;
    return sections(path, `${path}.`, found.schema, notesOf(of).description ?? "", elsewhere);
  });
  return [own, ...inner];
}

/** The object behind a field: itself, an item of a list (`[]`), or a value by name (`.NAME`). */
function objectIn(field: Schema): { readonly schema: Schema; readonly path: string } | undefined {
  const schema = bare(field);
  if (schema instanceof z.core.$ZodObject) return { schema, path: "" };
  if (schema instanceof z.core.$ZodArray) return within(schema._zod.def.element, "[]");
  if (schema instanceof z.core.$ZodRecord) return within(schema._zod.def.valueType, ".NAME");
  if (schema instanceof z.core.$ZodUnion) {
    return schema._zod.def.options.map((option) => objectIn(option)).find((found) => found !== undefined);
  }
  return undefined;
}

function within(
  schema: Schema,
  step: string,
): { readonly schema: Schema; readonly path: string } | undefined {
  const found = objectIn(schema);
  return found && { schema: found.schema, path: `${step}${found.path}` };
}

function fieldTable(schema: Schema): string {
  const rows = Object.entries(shapeOf(schema)).map(([name, field]) => {
    const { description = "", unenforced, default: value } = notesOf(field);
    const optional = field instanceof z.core.$ZodOptional;
    const plain = description.includes("`") ? description : description.replaceAll("*", "\\*");
    const meaning = unenforced === true ? `${plain} **Not enforced yet, so refused.**` : plain;
    return [`\`${name}\``, kindOf(field), optional ? (value ?? "none") : "required", meaning];
  });
  return table(["field", "value", "default", "meaning"], rows);
}

/** A field's kind in words. */
function kindOf(field: Schema): string {
  const schema = bare(field);
  if (schema instanceof z.core.$ZodEnum) {
    return Object.values(schema._zod.def.entries)
      .filter((value) => value !== "")
      .map(code)
      .join(" or ");
  }
  if (schema instanceof z.core.$ZodLiteral) return schema._zod.def.values.map(code).join(" or ");
  if (schema instanceof z.core.$ZodArray) return `list of ${kindOf(schema._zod.def.element)}`;
  if (schema instanceof z.core.$ZodRecord) return `by name: ${kindOf(schema._zod.def.valueType)}`;
  if (schema instanceof z.core.$ZodUnion) return schema._zod.def.options.map(kindOf).join(" or ");
  if (schema instanceof z.core.$ZodNumber) return "number";
  if (schema instanceof z.core.$ZodBoolean) return "`true` or `false`";
  return schema instanceof z.core.$ZodObject ? "fields" : "text";
}

const code = (value: unknown): string => `\`${String(value)}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |\n`;
  return `${line(head)}${line(head.map(() => "---"))}${rows.map(line).join("")}`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

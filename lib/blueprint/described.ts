import type { z } from "zod";
import { findings } from "./explain.ts";
import { problemsError, type Finding, type Problem } from "./problem.ts";
import { readYaml, type YamlDocument } from "./yaml-document.ts";

export type Examined<T> =
  | { readonly value: T; readonly document: YamlDocument; readonly problems: readonly [] }
  | { readonly value?: undefined; readonly document?: undefined; readonly problems: readonly Problem[] };

/**
 * Reads a YAML or JSON file of a known shape: every problem has its position and the smallest fix. `more` checks what
 * the schema cannot say, and is asked only about a value that has the schema's shape.
 */
export function examineText<T extends z.ZodType>(
  schema: T,
  text: string,
  file: string,
  more: (value: z.infer<T>) => readonly Finding[] = () => [],
): Examined<z.infer<T>> {
  const { document, problems } = readYaml(text, file);
  if (document === undefined) return { problems };
  const shape = findings(schema, document.value);
  if (shape.length > 0) return { problems: shape.map((finding) => document.locate(finding)) };
  const value = schema.parse(document.value);
  const found = more(value);
  if (found.length > 0) return { problems: found.map((finding) => document.locate(finding)) };
  return { value, document, problems: [] };
}

/** `examineText`, or one `NacreError` (code `invalid_file`) with every problem. */
export function readText<T extends z.ZodType>(
  schema: T,
  text: string,
  file: string,
  more?: (value: z.infer<T>) => readonly Finding[],
): z.infer<T> {
  const { value, document, problems } = examineText(schema, text, file, more);
  if (document === undefined) throw problemsError("invalid_file", problems);
  return value;
}

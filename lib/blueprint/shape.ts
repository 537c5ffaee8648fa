import { z } from "zod";
import type { Path } from "./problem.ts";

/** What a schema says about a field besides its type; all of it is for people. */
export interface FieldNotes {
  readonly description?: string | undefined;
  /** The default in words, Markdown. */
  readonly default?: string | undefined;
  /** Values as they are written in YAML. */
  readonly examples?: readonly string[] | undefined;
  /** Known, and refused until it is enforced. */
  readonly unenforced?: boolean | undefined;
  /** A person may have put a secret here, or below it, by mistake: no message repeats what stands there. The fix. */
  readonly unspoken?: string | undefined;
}

export function notesOf(schema: z.core.$ZodType): FieldNotes {
  return z.globalRegistry.get(schema) ?? {};
}

/** The schema of a value behind `optional`, `nullable`, `default` and `pipe`. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.core.$ZodOptional || schema instanceof z.core.$ZodNullable) {
    return bare(schema._zod.def.innerType);
  }
  if (schema instanceof z.core.$ZodDefault) return bare(schema._zod.def.innerType);
  if (schema instanceof z.core.$ZodPipe) return bare(schema._zod.def.in);
  return schema;
}

/** The names of an object's fields; none for anything else. */
export function fieldsOf(schema: z.core.$ZodType): readonly string[] {
  return Object.keys(shapeOf(schema));
}

/** The fields of an object schema by name. Of a union, those of its object. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  const inner = bare(schema);
  if (inner instanceof z.core.$ZodObject) return inner._zod.def.shape;
  if (inner instanceof z.core.$ZodUnion) {
    for (const option of inner._zod.def.options) {
      const shape = shapeOf(option);
      if (Object.keys(shape).length > 0) return shape;
    }
  }
  return {};
}

/** The schema of the field at `path`, with its notes; `undefined` where the schema knows none. */
export function schemaAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType | undefined {
  let at: z.core.$ZodType | undefined = schema;
  for (const part of path) {
    if (at === undefined) return undefined;
    at = child(bare(at), part);
  }
  return at;
}

/** Where no message may repeat what stands at `path`: what to say instead, and the path as far as it may be said. */
export function unspokenAt(
  schema: z.core.$ZodType,
  path: Path,
): { readonly fix: string; readonly path: Path } | undefined {
  let fix: string | undefined;
  for (const [index, part] of path.entries()) {
    const around = schemaAt(schema, path.slice(0, index));
    if (fix !== undefined && !isKnown(around, part)) return { fix, path: path.slice(0, index) };
    const field = around && child(bare(around), part);
    fix = (field && notesOf(field).unspoken) ?? fix;
  }
  return fix === undefined ? undefined : { fix, path };
}

/** Whether a part of a path is a field's name, or a name in the form that names have. */
function isKnown(around: z.core.$ZodType | undefined, part: string | number): boolean {
  const schema = around && bare(around);
  if (schema instanceof z.core.$ZodRecord) return z.safeParse(schema._zod.def.keyType, part).success;
  return schema !== undefined && child(schema, part) !== undefined;
}

function child(schema: z.core.$ZodType, part: string | number): z.core.$ZodType | undefined {
  if (schema instanceof z.core.$ZodRecord) return schema._zod.def.valueType;
  if (schema instanceof z.core.$ZodArray) return schema._zod.def.element;
  if (schema instanceof z.core.$ZodUnion) {
    const found = schema._zod.def.options.map((option) => child(bare(option), part));
    return found.find((option) => option !== undefined);
  }
  return shapeOf(schema)[part];
}

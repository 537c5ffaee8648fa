import { createHash } from "node:crypto";
import type { Layers } from "./compile.ts";

/** SHA-256 (hex) of what is in force: the base and the layers above it, whatever order their keys were written in. */
export function policyHash(layers: Layers): string {
  const { base, allows, blocks } = layers;
  return createHash("sha256").update(canonical({ base, allows, blocks })).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`);
  return `{${fields.join(",")}}`;
}

import { Struct, type StructProto } from "./protocol.ts";

/** Sentinels of Pulumi's wire format; the SDK keeps them to itself (sdk/nodejs/runtime/rpc.ts). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e";
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export type Properties = Readonly<Record<string, unknown>>;

/** A value that only the real run will know. */
export const unknown = Symbol("unknown");

/** A value that the program marked as secret. No resource of ours takes one; it is kept apart so that this can be said. */
export class Secret {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

export function decode(value: unknown): unknown {
  if (value === UNKNOWN) return unknown;
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  const object = value as Properties;
  switch (object[SIGNATURE]) {
    case SECRET:
      return new Secret(decode(object["value"]));
    case OUTPUT: {
      const inner = "value" in object ? decode(object["value"]) : unknown;
      return object["secret"] === true ? new Secret(inner) : inner;
    }
    case RESOURCE:
      return decode(object["id"] === "" ? UNKNOWN : object["id"]);
    default:
      return Object.fromEntries(Object.entries(object).map(([key, inner]) => [key, decode(inner)]));
  }
}

export function encode(value: unknown): unknown {
  if (value === unknown) return UNKNOWN;
  if (value instanceof Secret) return { [SIGNATURE]: SECRET, value: encode(value.value) };
  if (Array.isArray(value)) return value.map(encode);
  if (value === null || typeof value !== "object") return value;
  const known = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(known.map(([key, inner]) => [key, encode(inner)]));
}

export const fromStruct = (struct: StructProto.Struct | undefined): Properties =>
  struct === undefined ? {} : (decode(struct.toJavaScript()) as Properties);

export const toStruct = (properties: Properties): StructProto.Struct =>
  Struct.fromJavaScript(encode(properties) as Parameters<typeof Struct.fromJavaScript>[0]);

/** Whether `part` stands anywhere in `value`. */
export function holds(value: unknown, part: (value: unknown) => boolean): boolean {
  if (part(value)) return true;
  if (Array.isArray(value)) return value.some((inner) => holds(inner, part));
  if (value === null || typeof value !== "object") return false;
  return Object.values(value).some((inner) => holds(inner, part));
}
export const isUnknown = (value: unknown): boolean => value === unknown;
export const isSecret = (value: unknown): boolean => value instanceof Secret;

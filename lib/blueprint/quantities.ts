import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const BYTES = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/** Bytes as Kubernetes writes them: `2Gi`, `512Mi`, `1.5G`; a bare number is bytes. */
export const bytesSchema = z
  .union([z.number(), z.string()])
  .refine((written) => (bytesOf(written) ?? 0) >= 1, "an amount of bytes: 2Gi, 512Mi, 1500M");

/** A time with its unit: `60s`, `500ms`, `2m`, `1h`. */
export const durationSchema = z
  .string()
  .refine((written) => (secondsOf(written) ?? 0) > 0, "a time with its unit: 60s, 500ms, 2m");

/** Whole bytes, or `undefined` when it is not an amount of bytes. */
export function bytesOf(written: string | number): number | undefined {
  const [, amount, unit] = BYTES.exec(String(written)) ?? [];
  const factor = UNITS[unit ?? ""];
  if (amount === undefined || factor === undefined) return undefined;
  const bytes = Math.floor(Number(amount) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Seconds, or `undefined` when it is not a time. */
export function secondsOf(written: string): number | undefined {
  const [, amount, unit] = DURATION.exec(written) ?? [];
  const factor = SECONDS[unit ?? ""];
  if (amount === undefined || factor === undefined) return undefined;
  // In milliseconds first, so that 60000ms and 60s are the same number.
  return Math.round(Number(amount) * factor * 1000) / 1000;
}

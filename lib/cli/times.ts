import { NacreError } from "../error.ts";

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `30m`, `2h`, `1d` in seconds. */
export function seconds(text: string): number {
  const match = /^([1-9][0-9]{0,6})([smhd])$/.exec(text);
  const unit = units[match?.[2] ?? ""];
  if (match === null || unit === undefined)
    throw new NacreError({
      code: "usage_duration",
      subject: text,
      message: "is no duration",
      hint: "write a number and s, m, h or d: 30m",
    });
  return Number(match[1]) * unit;
}

/** A duration ago, or an ISO 8601 time, in milliseconds since the epoch. */
export function timeOf(text: string, now: number): number {
  if (/^[0-9]+[smhd]$/.test(text)) return now - seconds(text) * 1000;
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new NacreError({
      code: "usage_time",
      subject: text,
      message: "is neither a duration nor a time",
      hint: "write 15m, or 2026-01-31T08:00:00Z",
    });
  return at;
}

import type { Command } from "commander";
import { NacreError } from "../error.ts";

export interface WaitOptions {
  readonly wait?: boolean;
  readonly timeout?: string;
}

export const withWait = (command: Command): Command =>
  command
    .option("--wait", "wait until the egress has taken or refused it")
    .option("--timeout <seconds>", "how long --wait waits, at most an hour (default: 60)");

/** What the daemon is asked for. @throws NacreError `usage_duration`, `usage_timeout` */
export async function waitFor({ wait, timeout }: WaitOptions): Promise<{ readonly wait?: number }> {
  if (wait !== true && timeout === undefined) return {};
  if (wait !== true)
    throw new NacreError({
      code: "usage_timeout",
      subject: "--timeout",
      message: "says how long --wait waits, and nothing waits",
      hint: "add --wait",
    });
  const { seconds } = await import("./times.ts");
  const { longestWait } = await import("../host/policy-api.ts");
  if (/^0+$/.test(timeout ?? ""))
    throw new NacreError({
      code: "usage_timeout",
      subject: `--timeout ${timeout ?? ""}`,
      message: "leaves no time to wait",
      hint: "write at least 1, or leave --wait out",
    });
  const found = seconds(/^\d+$/.test(timeout ?? "60") ? `${timeout ?? "60"}s` : (timeout ?? ""));
  if (found <= longestWait) return { wait: found };
  throw new NacreError({
    code: "usage_duration",
    subject: timeout ?? "",
    message: "is longer than an hour, the longest wait",
    hint: "nacre policy history says later what became of it",
  });
}

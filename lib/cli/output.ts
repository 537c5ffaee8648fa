import { NacreError } from "../error.ts";

/**
 * What a person or a script reads. Text that comes from an agent (names, messages, paths) goes through `plain`:
 * an agent must not move the reader's cursor or forge a line.
 */

/** Control characters, and the bidirectional and invisible ones that disguise text. */
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** One line of harmless text: what could act on a terminal is shown as an escape. */
export function plain(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** Columns padded to their widest cell; no borders, so that `grep` and `cut` work. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** Progress and notes go to stderr, so that stdout stays what a script reads. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * A reader of the output that has enough (`| head -1`) ends the command, as SIGPIPE would. One of the notes does not:
 * what is under way goes on.
 */
export function endWithReaders(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  process.stderr.on("error", () => undefined);
}

/** The error as a person reads it: the thing, the reason, the fix. */
export function explain(error: unknown): string {
  if (NacreError.isInstance(error)) {
    const fix = error.hint === undefined ? "" : `\n  fix: ${lines(error.hint)}`;
    return `error: ${plain(error.subject)}: ${lines(error.message)}${fix}`;
  }
  return `error: ${error instanceof Error ? lines(error.stack ?? error.message) : lines(String(error))}`;
}

/** Several lines may stay several lines; nothing else that acts on a terminal passes. */
const lines = (text: string): string => text.split("\n").map(plain).join("\n  ");

/** `1.5 GiB`: binary units, at most one decimal. */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
  const value = count / 2 ** (10 * step);
  return `${step === 0 ? value : value.toFixed(1)} ${units[step] ?? ""}`;
}

/** `2h 5m`, `13s`: the two largest units. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const used = parts.filter(([count]) => count > 0).slice(0, 2);
  return used.length === 0 ? "0s" : used.map(([count, unit]) => `${count}${unit}`).join(" ");
}

import { open, stat, type FileHandle } from "node:fs/promises";
import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { note, plain } from "./output.ts";

interface LogsOptions extends StackOption {
  readonly follow?: boolean;
  readonly lines: string;
}

/** `nacre logs SANDBOX [-f]`: what the agent said, its control characters escaped. */
export function logs(): Command {
  return new Command("logs")
    .description("show what the agent wrote to its output")
    .argument("<sandbox>")
    .option("-s, --stack <name>", "the environment")
    .option("-f, --follow", "go on as it grows")
    .option("-n, --lines <count>", "the last ones", "100")
    .addHelpText("after", "\nExamples:\n  $ nacre logs assistant\n  $ nacre logs -f -n 0 assistant")
    .action(async (name: string, options: LogsOptions) => {
      const lines = countOf(options.lines);
      const { connect } = await import("./daemon.ts");
      const daemon = await connect();
      const id = sandboxId(contextOf(options), name);
      const { path } = await daemon.call("logs", { id });
      await show(path, id, lines, options.follow === true);
    });
}

function countOf(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new NacreError({
    code: "usage_lines",
    subject: text,
    message: "is no count of lines",
    hint: "write a number: -n 20",
  });
}

const chunk = 64 * 1024;

async function show(path: string, id: string, lines: number, follow: boolean): Promise<void> {
  const file = await opened(path, id, follow);
  if (file === undefined) return;
  const at = (await file.stat()).size;
  process.stdout.write(await tail(file, at, lines));
  if (!follow) return file.close();
  await followFrom(path, file, at);
}

/** The log, which is made with the agent's first output; who follows waits for it. */
async function opened(path: string, id: string, wait: boolean): Promise<FileHandle | undefined> {
  for (let first = true; ; first = false) {
    try {
      return await open(path, "r");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
    if (first) note(`${id} has written nothing yet`);
    if (!wait) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The last `lines` lines before `end`, at most 4 MiB of them. */
async function tail(file: FileHandle, end: number, lines: number): Promise<string> {
  const from = Math.max(0, end - 4 * 1024 * 1024);
  const text = await read(file, from, end);
  const all = text.replace(/\n$/, "").split("\n");
  return lines === 0 || text === "" ? "" : `${all.slice(-lines).map(plain).join("\n")}\n`;
}

async function read(file: FileHandle, from: number, to: number): Promise<string> {
  const buffer = Buffer.alloc(to - from);
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(
      buffer,
      filled,
      Math.min(chunk, buffer.length - filled),
      from + filled,
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.toString("utf8", 0, filled);
}

/** Polls: the file is rotated by renaming, so a watch on it would follow the wrong one. Ends with the process. */
async function followFrom(path: string, first: FileHandle, start: number): Promise<void> {
  let file = first;
  let at = start;
  let rest = "";
  for (;;) {
    const size = (await file.stat()).size;
    if (size > at) {
      const lines = (rest + (await read(file, at, size))).split("\n");
      rest = lines.pop() ?? "";
      if (lines.length > 0) process.stdout.write(`${lines.map(plain).join("\n")}\n`);
      at = size;
    } else if ((await stat(path).catch(() => undefined))?.ino !== (await file.stat()).ino) {
      const next = await open(path, "r").catch(() => undefined);
      if (next !== undefined) {
        await file.close();
        [file, at] = [next, 0];
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

import { Command } from "commander";
import type { LogPiece } from "../docker/log-pieces.ts";
import { NacreError } from "../error.ts";
import { gatewayPlace, withGateway, type GatewayOption } from "./gateway-place.ts";
import { plain } from "./output.ts";

interface LogsOptions extends GatewayOption {
  readonly follow?: boolean;
  readonly tail: string;
}

/** `nacre gateway logs`: what K3s said, its control characters escaped. */
export function gatewayLogs(): Command {
  return withGateway(new Command("logs"))
    .description("show what K3s wrote")
    .option("-f, --follow", "go on as it grows")
    .option("-n, --tail <count>", "the last lines", "100")
    .addHelpText("after", "\nExamples:\n  $ nacre gateway logs\n  $ nacre gateway logs -f --tail 0")
    .action(async (options: LogsOptions) => {
      if (!/^[0-9]{1,6}$/.test(options.tail))
        throw new NacreError({
          code: "usage_lines",
          subject: options.tail,
          message: "is no count of lines",
          hint: "write a number: --tail 20",
        });
      const { engine, name } = await gatewayPlace(options);
      const controller = new AbortController();
      process.once("SIGINT", () => controller.abort());
      const pieces = engine.logs(name, {
        follow: options.follow === true,
        tail: Number(options.tail),
        signal: controller.signal,
      });
      for await (const line of linesOf(pieces)) process.stdout.write(`${plain(line)}\n`);
    });
}

/** A line with no end is passed on in parts. */
const LONGEST = 64 << 10;

/** Whole lines of each stream, as they come. */
export async function* linesOf(pieces: AsyncIterable<LogPiece>): AsyncGenerator<string> {
  const streams = {
    stdout: { rest: "", decoder: new TextDecoder() },
    stderr: { rest: "", decoder: new TextDecoder() },
  };
  for await (const { stream, bytes } of pieces) {
    const of = streams[stream];
    const lines = (of.rest + of.decoder.decode(bytes, { stream: true })).split("\n");
    of.rest = lines.pop() ?? "";
    yield* lines.map((line) => line.replace(/\r$/, ""));
    if (of.rest.length > LONGEST) {
      yield of.rest;
      of.rest = "";
    }
  }
  for (const { rest } of Object.values(streams)) if (rest !== "") yield rest;
}

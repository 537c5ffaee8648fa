import fs from "node:fs";
import { NacreError } from "../error.ts";
import { limits } from "./limits.ts";
import { linesOf } from "./lines.ts";
import { type Command, commandSchema, type Report } from "./protocol.ts";
import { resolverEnvironment } from "./resolve.ts";
import { Egress, type Listeners } from "./service.ts";
import { trustedAuthorities } from "./trust.ts";

/**
 * The egress process of one sandbox. Commands on stdin, reports on stdout, sockets of the sandbox on descriptors 10 to
 * 13. The end of stdin is the end of it: without a daemon the sandbox has no network.
 */
async function main(): Promise<void> {
  Object.assign(process.env, resolverEnvironment);
  process.on("uncaughtException", (error) => die(error));
  process.on("unhandledRejection", (error) => die(error));
  // A daemon that is gone is seen by the end of stdin.
  process.stdout.on("error", () => process.exit(1));
  let egress: Egress | undefined;
  for await (const line of linesOf(process.stdin, limits.commandBytes, tooLong)) {
    const command = read(line);
    if (command.type === "configure") egress = await configure(command, egress);
    else if (egress === undefined) throw protocolError("the first command is not configure");
    else obey(egress, command);
  }
  egress?.close();
  process.exit(0);
}

function read(line: string): Command {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw protocolError("a command is not JSON");
  }
  const command = commandSchema.safeParse(value);
  if (command.success) return command.data;
  const [issue] = command.error.issues;
  // The path and the reason, never the value: it may be a secret.
  throw protocolError(`command: ${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "unknown"}`);
}

async function configure(
  command: Command & { type: "configure" },
  before: Egress | undefined,
): Promise<Egress> {
  if (before !== undefined) throw protocolError("configure comes twice");
  const egress = new Egress(command, trustedAuthorities(process.env), report);
  await egress.start(inherited());
  return egress;
}

function obey(egress: Egress, command: Exclude<Command, { type: "configure" }>): void {
  switch (command.type) {
    case "network":
      egress.setNetwork(command.network);
      break;
    case "grants":
      egress.setGrants(command.grants);
      break;
    case "secrets":
      egress.setSecrets(command.secrets);
      break;
    case "check":
      void egress.check().then((error) => report({ type: "checked", id: command.id, error }));
      break;
  }
}

function inherited(): Listeners {
  return {
    tcp: [10, 11].filter(isSocket),
    udp: ([12, 13] as const).filter(isSocket).map((fd) => ({ fd, family: fd === 12 ? "udp4" : "udp6" })),
  };
}

function isSocket(fd: number): boolean {
  try {
    return fs.fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

function report(what: Report): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Closed: the process ends, and the sandbox has no network until the daemon starts another. */
function die(error: unknown): never {
  const parts =
    error instanceof NacreError
      ? error.toJSON()
      : {
          code: "egress_failed",
          subject: "egress",
          message: error instanceof Error ? String(error.stack) : String(error),
        };
  fs.writeSync(1, `${JSON.stringify({ type: "fatal", error: parts } satisfies Report)}\n`);
  process.exit(1);
}

const tooLong = (): NacreError => protocolError("a command is longer than 16 MiB");

function protocolError(message: string): NacreError {
  return new NacreError({ code: "protocol_error", subject: "egress", message });
}

main().catch(die);

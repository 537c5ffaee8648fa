import { once } from "node:events";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { NacreError } from "../error.ts";
import { version } from "../version.ts";
import { compiledEgress } from "./compiled-egress.ts";
import type { HostContext } from "./context.ts";
import { lockState } from "./daemon-lock.ts";
import { wallSchema } from "./launch-spec.ts";
import { kitFinder } from "./kits.ts";
import { claimMachineId } from "./machine.ts";
import { handlersOf } from "./methods.ts";
import { operatorReader } from "./operator.ts";
import { cacheDirectory, operatorFile } from "./paths.ts";
import { identify } from "./process-identity.ts";
import { runThrowAway } from "./run-throwaway.ts";
import { Sandboxes } from "./sandboxes.ts";
import { shippedSeccomp } from "./seccomp.ts";
import { serve } from "./server.ts";
import { privateFolder, writeJson } from "./state.ts";
import { clearThrowAways } from "./throwaway-sandbox.ts";

/** How often sources of secrets, the operator's file and the host's name servers are looked at. */
const lookEvery = 3000;
/** A daemon without a sandbox ends when nobody has asked it anything for this long. */
const idleEnd = 60_000;

/** The daemon of one state directory. It supervises; it parses nothing that an agent sent. */
async function main(state: string): Promise<void> {
  process.umask(0o077);
  for (const signal of ["SIGHUP", "SIGPIPE"] as const) process.on(signal, () => undefined);
  await privateFolder(state);
  const lock = lockState(state);
  if (lock === undefined) return; // Another one was quicker: it serves.
  const closing = new AbortController();
  const end = (): void => closing.abort();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, end);

  const context = await contextOf(state);
  const machine = await claimMachineId(state);
  await clearThrowAways(state);
  const sandboxes = await Sandboxes.open(context);
  let asked = Date.now();
  const handlers = handlersOf({ context, sandboxes, machine, closing: closing.signal, shutdown: end });
  const server = await serve(state, handlers, () => (asked = Date.now()));
  await writeJson(join(state, "daemon.json"), { ...identify(process.pid), version });
  context.log("daemon", `serves, version ${version}, process ${process.pid}`);

  const look = setInterval(() => {
    for (const { id, network } of sandboxes.all)
      network
        .refresh()
        .catch((error: unknown) => context.log(id, `cannot look at its sources: ${String(error)}`));
    const idle = sandboxes.all.length === 0 && server.busy() === 0 && Date.now() - asked > idleEnd;
    if (idle) end();
  }, lookEvery);
  if (!closing.signal.aborted) await once(closing.signal, "abort");
  clearInterval(look);
  context.log("daemon", "ends; its sandboxes go on");
  await Promise.all([server.close(), sandboxes.leave()]);
  lock.release();
}

async function contextOf(state: string): Promise<HostContext> {
  const [egress, agent] = await Promise.all([shippedSeccomp("egress"), shippedSeccomp("agent")]);
  const cache = cacheDirectory();
  const context: HostContext = {
    state,
    cache,
    operator: operatorReader(operatorFile()),
    handed: new Map(),
    kit: kitFinder(),
    runThrowAway: (spec) => runThrowAway(context, spec),
    seccomp: { egress, agent },
    wallsOff: z.array(wallSchema).parse(process.env["NACRE_WALLS_OFF"]?.split(",") ?? []),
    compiledEgress: await compiledEgress(cache).catch(() => undefined),
    transientIds: new Set(),
    log: (subject, message) => console.log(`${new Date().toISOString()} ${subject}: ${message}`),
  };
  return context;
}

/** Whoever started it listens on descriptor 3 for why it cannot serve. */
function tell(error: unknown): void {
  const parts =
    error instanceof NacreError
      ? error.toJSON()
      : {
          code: "internal",
          subject: "daemon",
          message: error instanceof Error ? error.message : String(error),
        };
  console.error(error);
  try {
    writeSync(3, JSON.stringify(parts));
  } catch {
    // Nobody listens.
  }
}

const [, , directory] = process.argv;
if (directory === undefined) throw new TypeError("daemon STATE_DIRECTORY");
try {
  await main(directory);
  process.exit(0);
} catch (error) {
  tell(error);
  process.exit(1);
}

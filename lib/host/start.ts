import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, constants, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NacreError } from "../error.ts";
import { program } from "./build.ts";
import { launchErrorSchema } from "./launch-spec.ts";
import { cacheDirectory } from "./paths.ts";
import { privateFolder } from "./state.ts";

/** A daemon that has not answered by then is reported, with its own words where it had any. */
const patience = 15_000;
const longestLog = 10 * 1024 * 1024;

/**
 * What of the caller's environment a daemon gets: where things are, and what npm and TLS need. It outlives the caller,
 * so a secret that happens to be in that environment must not live on in it.
 */
const kept =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|NACRE_\w+|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|npm_config_(registry|userconfig|globalconfig|cafile))$/i;

/** It mostly waits: a small young generation keeps 13 MB less (measured). */
const nodeOptions = ["--max-semi-space-size=1", "--disable-warning=ExperimentalWarning"];

/** Starts a daemon in a session of its own, out of the caller's process group, and waits until one answers: `answers` gives its id. */
export async function startDaemon(
  state: string,
  answers: () => Promise<number | undefined>,
  signal?: AbortSignal,
): Promise<void> {
  await privateFolder(state);
  const logPath = join(state, "daemon.log");
  const size = statSync(logPath, { throwIfNoEntry: false })?.size ?? 0;
  if (size > longestLog) renameSync(logPath, `${logPath}.1`);
  const log = openSync(
    logPath,
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW,
    0o600,
  );
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [...nodeOptions, program("host/daemon"), state], {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log, log, "pipe"],
      env: {
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name))),
        // Compiled code of an earlier start: half the time and, in a checkout, no TypeScript compiler in memory.
        NODE_COMPILE_CACHE: join(cacheDirectory(), "compiled"),
      },
    });
  } finally {
    closeSync(log);
  }
  const said = words(child);
  child.unref();
  const end = Date.now() + patience;
  let serving = await answers();
  for (; serving === undefined; serving = await answers()) {
    signal?.throwIfAborted();
    const failure = said.failure();
    if (failure !== undefined) throw failure;
    if (Date.now() > end) throw silent(state);
    await sleep(20);
  }
  said.stop();
  // Of those that were started at once one serves; the others must not come up when that one has ended again.
  if (serving !== child.pid) child.kill("SIGTERM");
}

/** Descriptor 3 of the daemon: one line when it cannot serve. */
function words(child: ChildProcess) {
  let text = "";
  let failure: NacreError | undefined;
  const pipe = child.stdio[3];
  pipe?.on("error", () => undefined);
  if (pipe !== null && pipe !== undefined && "setEncoding" in pipe) {
    pipe.setEncoding("utf8");
    pipe.on("data", (piece: string) => (text += piece));
  }
  child.once("error", (error) => (failure = broken(error.message)));
  child.once("close", (code, how) => {
    if (code === 0) return; // Another daemon was quicker: that one answers.
    const parsed = launchErrorSchema.safeParse(text === "" ? undefined : JSON.parse(text));
    failure = parsed.success
      ? new NacreError(parsed.data)
      : broken(`it ended with ${code ?? how ?? "nothing"}`);
  });
  return { failure: () => failure, stop: () => pipe?.destroy() };
}

const broken = (message: string): NacreError =>
  new NacreError({
    code: "daemon_failed",
    subject: "daemon",
    message: `cannot start: ${message}`,
    hint: "daemon.log in the state directory says more",
  });

const silent = (state: string): NacreError =>
  new NacreError({
    code: "daemon_silent",
    subject: "daemon",
    message: `did not answer within ${patience / 1000} s`,
    hint: `see ${join(state, "daemon.log")}`,
  });

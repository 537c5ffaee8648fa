import { NacreError } from "../error.ts";
import { lockHoldersOf } from "./lock.ts";

/**
 * What the engine said when it could not do its work at all, as one error of ours.
 * @param engine how a shell would start it
 */
export function engineFailure(error: unknown, engine = "pulumi"): NacreError {
  if (error instanceof NacreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const holders = lockHoldersOf(text);
  if (holders !== undefined) {
    const who = holders.map(
      ({ host, pid, since }) => `process ${pid} on ${host}, since ${since.toISOString()}`,
    );
    const parts = {
      code: "stack_locked",
      subject: "Pulumi state",
      message: `another run holds it: ${who.join("; ")}`,
      hint: "wait for it to end, or end it; the lock of a dead process of this host is cleared by the next up",
    };
    return new NacreError(parts, { cause: error });
  }
  if (text.includes("incorrect passphrase")) {
    const parts = {
      code: "passphrase_wrong",
      subject: "Pulumi state",
      message: "the stack was made with another passphrase",
      hint: "set (or unset) PULUMI_CONFIG_PASSPHRASE as it was then",
    };
    return new NacreError(parts, { cause: error });
  }
  const [, plugin, version] =
    /no resource plugin 'pulumi-resource-([\w-]+)' found .*?(?:at version v([\w.+-]+))?(?: or |,|$)/m.exec(
      text,
    ) ?? [];
  if (plugin !== undefined) {
    const parts = {
      code: "plugin_missing",
      subject: `Pulumi plugin ${plugin}`,
      message: `it is not installed${version === undefined ? "" : ` (version ${version})`}`,
      hint: `${engine} plugin install resource ${plugin}${version === undefined ? "" : ` ${version}`}`,
    };
    return new NacreError(parts, { cause: error });
  }
  const killer = /was killed with (SIG\w+)/.exec(text)?.[1];
  const said = text.split("\n").flatMap((line) => /^\s*error: (.*)/.exec(line)?.[1] ?? []);
  const reason = said.length > 0 ? [...new Set(said)].join("\n") : text;
  const message = killer === undefined ? reason : `it was killed (${killer})`;
  if (text.includes("no space left on device")) {
    const hint = "free some disk space, or set NACRE_STATE_DIR to a folder on another disk";
    return new NacreError({ code: "disk_full", subject: "Pulumi state", message, hint }, { cause: error });
  }
  return new NacreError({ code: "engine_failed", subject: "Pulumi engine", message }, { cause: error });
}
